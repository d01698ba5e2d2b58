"""List the queries of the library, or print one: `tp-tools sql`."""

from __future__ import annotations

import shutil
import sys

import click

from tp_tools import library
from tp_tools.cli.console import Console  # noqa: TC001  part of the command's signature
from tp_tools.cli.options import complete_queries, console_options, set_option


@click.command("sql", short_help="List the queries, or print one.")
@click.argument("name", required=False, shell_complete=complete_queries)
@set_option
@console_options
def command(name: str | None, values: tuple[str, ...], console: Console) -> None:
    """List the queries that come with tp-tools, or print the query NAME.

    The text that is printed holds all that the query includes: it runs as it is in the Query tab of
    the Perfetto UI (v52 and later), on any trace that tp-tools wrote. Parameters that the query
    declares (`Set:` at its head) have their defaults, or the values of --set.

    \b
    Examples:
      tp-tools sql
      tp-tools sql kernels
      tp-tools sql kernels > my_kernels.sql
      tp-tools sql gaps --set steps=3..5
    """
    set_values = library.assignments(values)
    if name is None:
        _list(console)
    else:
        click.echo(library.expand(library.read(library.find(name), set_values)), nl=False)


def _list(console: Console) -> None:
    """Print a line per query, cut to the width of the terminal."""
    known = library.queries()
    widest = max(map(len, known), default=0)
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for name, path in known.items():
        answers = library.parse(library.read(path), path.name).answers
        line = f"{name.ljust(widest)}  {answers}"
        click.echo(line if width is None or len(line) <= width else f"{line[: width - 3]}...")
    console.say("\n`tp-tools sql NAME` prints one; `tp-tools query NAME TRACE` runs it.")
