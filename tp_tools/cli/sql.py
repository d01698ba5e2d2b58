"""List the queries of the library, or print one: `tp-tools sql`."""

from __future__ import annotations

import json
import shutil
import sys
from contextlib import ExitStack
from pathlib import Path

import click

from tp_tools import library
from tp_tools.cli.console import Console  # noqa: TC001  part of the command's signature
from tp_tools.cli.options import complete_queries, console_options, set_option
from tp_tools.errors import OutputError, UsageError


@click.command("sql", short_help="List the queries, or print one.")
@click.argument("name", required=False, shell_complete=complete_queries)
@click.option(
    "--extension",
    metavar="FOLDER",
    help="Write the whole library into FOLDER as an extension server of the Perfetto UI "
    "(v54 and later): static files for a GitHub repository or any HTTPS host.",
)
@set_option
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="json: an array with an object per query, or that of NAME with its text.",
)
@console_options
def command(
    name: str | None, extension: str | None, values: tuple[str, ...], form: str, console: Console
) -> None:
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
      tp-tools sql --format json
      tp-tools sql --extension extension/
    """
    set_values = library.assignments(values)
    if extension is not None:
        if name is not None or values or form != "text":
            raise UsageError(
                "--extension writes the whole library: leave out NAME, --set and --format."
            )
        _write_extension(Path(extension), console)
    elif name is not None:
        _print(library.find(name), set_values, form)
    elif form == "json":
        known = library.queries().items()
        listed = [_described(it, path, library.read(path)) for it, path in known]
        click.echo(json.dumps(listed, indent=2))
    else:
        _list(console)


def _print(path: Path, values: library.Values, form: str) -> None:
    """Print one query with what it includes, as text or as JSON."""
    text = library.read(path, values)
    sql = library.expand(text)
    if form == "json":
        click.echo(json.dumps(_described(path.stem, path, text) | {"sql": sql}, indent=2))
    else:
        click.echo(sql, nl=False)


def _described(name: str, path: Path, text: str) -> dict[str, object]:
    """Return what the header of a query file says, for JSON; `needs` is null for everything."""
    header = library.parse(text, path.name)
    return {
        "name": name,
        "answers": header.answers,
        "grain": header.grain,
        "scope": header.scope,
        "needs": None if header.needs is None else sorted(header.needs),
        "first": list(header.first),
        "parameters": [
            {"name": it.name, "type": it.type, "default": it.default, "says": it.says}
            for it in header.parameters
        ],
    }


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


def _write_extension(folder: Path, console: Console) -> None:
    """Write the files of an extension server; those of an earlier one are replaced.

    Raises:
        UsageError: the folder holds something else.
        OutputError: a file cannot be written.
    """
    from tp_tools.files import output  # noqa: PLC0415  not for --help
    from tp_tools.library import extension  # noqa: PLC0415

    files = extension.files()
    try:
        if folder.exists() and not _may_be_extension(folder, extension.MANIFEST):
            raise UsageError(f"{folder}: holds something else. Name a new folder.")
        for name in files:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written: {error.strerror}.") from error
    with ExitStack() as all_or_none:  # each file gets its name once all of them are written
        for name, text in files.items():
            all_or_none.enter_context(output.written(str(folder / name), [text.encode()]))
    console.say(
        f"Wrote {folder}: {len(extension.sql_modules())} SQL modules, "
        f"{len(extension.macros())} macros."
    )


def _may_be_extension(folder: Path, manifest: str) -> bool:
    """Tell whether a folder is empty or holds an extension server of ours."""
    if not folder.is_dir():
        return False
    if not any(folder.iterdir()):
        return True
    try:
        said = json.loads((folder / manifest).read_bytes())
    except (FileNotFoundError, ValueError):
        return False
    return isinstance(said, dict) and said.get("namespace") == library.PACKAGE
