"""Write the answers of `tp-tools query`: to stdout, to a file, or a file each into a folder."""

from __future__ import annotations

import codecs
import json
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click
from msgspec import Struct
from msgspec.structs import replace

from tp_tools.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tp_tools.cli.console import Console
    from tp_tools.engine import Rows
    from tp_tools.querying.frames import Format
    from tp_tools.querying.lookup import Query

STDOUT = "-"
FORMAT_OF = {
    ".txt": "table",
    ".csv": "csv",
    ".csv.gz": "csv",
    ".csv.zst": "csv",
    ".json": "json",
    ".json.gz": "json",
    ".json.zst": "json",
    ".parquet": "parquet",
    ".md": "md",
}
"""Format of each suffix of -o, where there is no --format."""

SUFFIX_OF = {form: suffix for suffix, form in reversed(FORMAT_OF.items())}
"""Suffix of each format, for files in a folder."""

ONE_TABLE = ("csv", "parquet")
"""Formats that hold one table."""


class OutputOptions(Struct, frozen=True):
    """How answers are written.

    Attributes:
        form: the format.
        output: a file, a folder, or "-" for stdout.
        force: whether existing files may be replaced.
        rows: most rows of each answer; 0 for all, None for the default.
        sort: the column to sort by; None for the order of the query.
        wide: whether a table on a terminal has all columns.
    """

    form: str
    output: str
    force: bool
    rows: int | None
    sort: str | None
    wide: bool


def is_folder(output: str) -> bool:
    """Tell whether an output is a folder, which gets a file for each query."""
    return output != STDOUT and (output.endswith(("/", os.sep)) or Path(output).is_dir())


def format_of(output: str) -> str:
    """Return the format of a file's suffix; a table for stdout, CSV for a folder.

    Raises:
        UsageError: no format has this suffix.
    """
    if output == STDOUT:
        return "table"
    if is_folder(output):
        return "csv"
    for suffix, form in FORMAT_OF.items():
        if output.endswith(suffix):
            return form
    known = ", ".join(FORMAT_OF)
    raise UsageError(f"{output}: say with --format what to write, or end it in one of {known}.")


def files(queries: list[Query], options: OutputOptions) -> list[str]:
    """List the outputs: one for all queries, or a file for each in a folder.

    Raises:
        UsageError: the format holds one table, and there are several.
    """
    if is_folder(options.output):
        folder = Path(options.output)
        return [str(folder / f"{query.title}{SUFFIX_OF[options.form]}") for query in queries]
    if len(queries) > 1 and options.form in ONE_TABLE:
        raise UsageError(
            f"{options.form} holds one table: give -o FOLDER/ for a file per query, or --format "
            "json, table or md."
        )
    return [options.output]


def write(answers: dict[Query, Rows], options: OutputOptions, console: Console) -> None:
    """Write the answers.

    Raises:
        UsageError: no answer has the column to sort by, or a format cannot hold an answer.
        OutputError: a file cannot be written.
    """
    from tp_tools.files import output  # noqa: PLC0415  not for --help

    answers = {query: _sorted(rows, options.sort) for query, rows in answers.items()}
    names = files(list(answers), options)
    if names == [STDOUT]:
        _print_all(answers, options, console)
        return
    if options.rows:
        answers = {
            query: replace(rows, rows=rows.rows[: options.rows]) for query, rows in answers.items()
        }
    groups = [answers] if len(names) == 1 else [{query: answers[query]} for query in answers]
    for name, group in zip(names, groups, strict=True):
        with output.written(name, _blocks(group, options.form)):
            pass
        console.say(f"Wrote {name}: {sum(len(rows.rows) for rows in group.values()):,} rows.")


def _sorted(answer: Rows, column: str | None) -> Rows:
    if column is None:
        return answer
    if column not in answer.columns:
        raise UsageError(f"--sort {column}: the columns are {', '.join(answer.columns)}.")
    from tp_tools.cli.terminal_table import sort_rows  # noqa: PLC0415  not for --help

    return sort_rows(answer, column)


def _print_all(answers: dict[Query, Rows], options: OutputOptions, console: Console) -> None:
    """Print the answers on stdout; tables on a terminal fit its width."""
    fits = sys.stdout.isatty() or "COLUMNS" in os.environ
    if options.form != "table" or not (fits or options.wide):
        most = options.rows or None
        shown = {query: replace(rows, rows=rows.rows[:most]) for query, rows in answers.items()}
        text = _blocks(shown, options.form)
        is_text = not hasattr(sys.stdout, "buffer")  # a caller in Python may take words alone
        for block in codecs.iterdecode(text, "utf-8") if is_text else text:
            click.echo(block, nl=False)
        if not any(answer.rows for answer in answers.values()):
            console.say("No rows.")
        return
    for place, (query, answer) in enumerate(answers.items()):
        if len(answers) > 1:
            click.echo(_heading(query, options.form, is_first=place == 0), nl=False)
        _print_layout(answer, query, options, console)
        if not answer.rows:
            console.say("No rows.")


def _print_layout(answer: Rows, query: Query, options: OutputOptions, console: Console) -> None:
    """Print a table for a terminal, and say what it does not show."""
    from tp_tools.cli.terminal_table import ROWS_ON_TERMINAL, lay_out  # noqa: PLC0415

    default = ROWS_ON_TERMINAL if sys.stdout.isatty() else 0
    most_rows = default if options.rows is None else options.rows
    width = None if options.wide else shutil.get_terminal_size().columns
    if not answer.rows:
        return
    layout = lay_out(answer, query.header, width, most_rows)
    click.echo("".join(f"{line}\n" for line in layout.lines), nl=False)
    if layout.omitted:
        console.say(f"{layout.omitted:,} more: -n 0")
    if layout.start_ns is not None:
        what = "start of the trace" if layout.starts_trace else "earliest of these rows"
        console.say(f"Times count from {layout.start_ns:,} ns, the {what}.")
    if layout.empty:
        console.say(f"NULL in every row: {', '.join(layout.empty)}.")
    if layout.left_out:
        console.say(
            f"No room for {', '.join(layout.left_out)}: --wide has it, and so has --format csv."
        )


def _heading(query: Query, form: str, *, is_first: bool) -> str:
    """Return the lines above the table of one of several queries."""
    before = "" if is_first else "\n"
    if form == "md":
        return f"{before}## {query.title}\n\n"
    answers = f": {query.header.answers}" if query.header.answers else ""
    return f"{before}{query.title}{answers}\n\n"


def _blocks(answers: dict[Query, Rows], form: str) -> Iterator[bytes]:
    """Write answers in their format: of several queries an object in JSON, else with headings."""
    if len(answers) == 1:
        yield from _table(next(iter(answers.values())), form)
        return
    for place, (query, answer) in enumerate(answers.items()):
        if form == "json":
            from tp_tools.querying import frames  # noqa: PLC0415  pandas

            yield b"{\n" if place == 0 else b",\n"
            yield json.dumps(query.title).encode() + b": "
            yield b"".join(frames.written(answer, "json")).rstrip()
        else:
            yield _heading(query, form, is_first=place == 0).encode()
            yield from _table(answer, form)
    if form == "json":
        yield b"\n}\n"


def _table(answer: Rows, form: str) -> Iterator[bytes]:
    """Write one answer in its format."""
    from tp_tools.cli.table import markdown, table  # noqa: PLC0415

    if form in {"table", "md"}:
        lines = markdown(answer) if form == "md" else table(answer).lines
        yield "".join(f"{line}\n" for line in lines).encode()
        return
    from tp_tools.querying import frames  # noqa: PLC0415  pandas

    yield from frames.written(answer, cast("Format", form))
