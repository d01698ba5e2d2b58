"""`tp-tools query`: run SQL on traces."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

import click

from tp_tools.cli.options import choice_options, console_options, engine_option, limit_options
from tp_tools.errors import InputError, SqlError, TpToolsError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tp_tools.cli.console import Console
    from tp_tools.engine import Rows
    from tp_tools.merging.rank_names import RankChoice
    from tp_tools.querying.frames import Format
    from tp_tools.querying.runner import Query

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


@dataclass(frozen=True)
class Options:
    """Options of the command line; see the help texts."""

    query: str | None
    sql: str | None
    traces: tuple[str, ...]
    choice: RankChoice
    form: str
    output: str
    force: bool
    raw: bool
    all_categories: bool
    limit: int | None
    rows: int | None
    sort: str | None
    wide: bool
    engine: str | None


@click.command("query", short_help="Ask traces in SQL.")
@click.argument("arguments", nargs=-1, metavar="QUERY TRACE...")
@click.option("--execute", "-e", "sql", metavar="SQL", help="SQL to run instead of QUERY.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "json", "parquet", "md"]),
    help="Of the rows. Default: what the suffix of OUT says, else table.",
)
@click.option(
    "--output",
    "-o",
    metavar="OUT",
    default=STDOUT,
    help="Where the rows go, whole or not at all. Default: stdout.",
)
@click.option("--force", is_flag=True, help="Replace an existing OUT.")
@click.option(
    "--rows",
    "-n",
    type=click.IntRange(0),
    metavar="N",
    help="Only the first N rows; 0 for all. Default: 20 on a terminal, else all.",
)
@click.option(
    "--sort", metavar="COLUMN", help="Sort rows: the largest number first, text from A to Z."
)
@click.option("--wide", is_flag=True, help="Show all columns, wider than the terminal or not.")
@click.option(
    "--limit",
    type=click.IntRange(0),
    metavar="N",
    help="Ask for only the first N rows of each trace.",
)
@click.option("--raw", is_flag=True, help="Ask the file as it is, not as repaired.")
@click.option(
    "--all-categories",
    is_flag=True,
    help="Load all events, not only those that QUERY says in its header it needs: ids of slices "
    "and tracks are then those of the viewer.",
)
@choice_options
@engine_option
@limit_options
@console_options
def command(  # noqa: PLR0917  click passes all by name
    arguments: tuple[str, ...],
    sql: str | None,
    form: str | None,
    output: str,
    force: bool,  # noqa: FBT001  click passes flags by name
    limit: int | None,
    rows: int | None,
    sort: str | None,
    wide: bool,  # noqa: FBT001
    raw: bool,  # noqa: FBT001
    all_categories: bool,  # noqa: FBT001
    engine: str | None,
    choice: RankChoice,
    console: Console,
) -> None:
    """Run QUERY on TRACE, and print the rows of its last statement.

    QUERY is a name in the library (`tp-tools sql` lists it) or the path of a .sql file. TRACE is a
    file, a folder, a glob, or - for stdin: Chrome JSON, asked as `tp-tools fix` would write it, or
    anything else that TraceProcessor reads. Several traces are the ranks of a job: their rows come
    with a column `rank`. A query about the job itself, such as allreduce, gets all ranks at once,
    on one clock as by `tp-tools merge`.

    SQL that TraceProcessor refuses ends in exit code 2 if it was given with -e, and 3 if it is in
    a file of yours.

    \b
    Examples:
      tp-tools query kernels rank0.json.gz
      tp-tools query kernels traces/ -o kernels.csv
      tp-tools query allreduce.sql traces/
      tp-tools query my.sql 'traces/*.json.gz' --format json | jq .
      tp-tools query -e 'SELECT COUNT(*) AS slices FROM slice' rank0.json.gz
    """
    from tp_tools.files import output as out  # noqa: PLC0415
    from tp_tools.merging import inputs  # noqa: PLC0415  numpy and msgspec: not for --help

    query, traces = (None, arguments) if sql is not None else (arguments[:1], arguments[1:])
    if query and query[0].endswith(inputs.SUFFIXES):
        raise UsageError(
            f"{query[0]}: the query comes first, then the traces: tp-tools query kernels {query[0]}"
        )
    if query == () or not traces:
        raise UsageError("give a query and a trace: tp-tools query kernels rank0.json.gz")
    out.check(output, force=force, suffixes=("",))
    options = Options(
        query[0] if query else None,
        sql,
        traces,
        choice,
        form or format_of(output),
        output,
        force,
        raw,
        all_categories,
        limit,
        rows,
        sort,
        wide,
        engine,
    )
    _run(options, console)


def format_of(output: str) -> str:
    """Return the format of a file's suffix; a table for stdout.

    Raises:
        UsageError: no format has this suffix.
    """
    if output == STDOUT:
        return "table"
    for suffix, form in FORMAT_OF.items():
        if output.endswith(suffix):
            return form
    known = ", ".join(FORMAT_OF)
    raise UsageError(f"{output}: say with --format what to write, or end it in one of {known}.")


def _run(options: Options, console: Console) -> None:
    # numpy and msgspec: not for --help
    from tp_tools.files import output, temporary  # noqa: PLC0415
    from tp_tools.merging import job_files  # noqa: PLC0415
    from tp_tools.querying import LoadOptions, runner  # noqa: PLC0415

    query = runner.from_text(options.sql) if options.sql else runner.from_file(options.query or "")
    how = LoadOptions(options.engine, options.raw)
    try:
        with console.stage("telling ranks apart"):
            files = job_files.find(options.traces, options.choice)
        output.refuse_input(options.output, files.files)
        files.say_left_out(console)
        with temporary.in_folder(output.folder_of(options.output)):
            answer = runner.run_query(
                query,
                files,
                how,
                options.limit,
                console,
                all_categories=options.all_categories,
            )
    except SqlError as error:
        raise _as_error_of_author(error, query) from error
    answer = _sorted(answer, options.sort)
    if options.output == STDOUT:
        _print(answer, query, options, console)
        return
    if options.rows:
        answer = replace(answer, rows=answer.rows[: options.rows])
    with output.written(options.output, _blocks(answer, options.form)):
        pass
    console.say(f"Wrote {options.output}: {len(answer.rows):,} rows.")


def _sorted(answer: Rows, column: str | None) -> Rows:
    if column is None:
        return answer
    if column not in answer.columns:
        raise UsageError(f"--sort {column}: the columns are {', '.join(answer.columns)}.")
    from tp_tools.cli.terminal_table import sort_rows  # noqa: PLC0415  not for --help

    return sort_rows(answer, column)


def _as_error_of_author(error: SqlError, query: Query) -> TpToolsError:
    """Turn a refused query into an error of its author: the user, a user's file, the library."""
    kinds: dict[str, type[TpToolsError]] = {"text": UsageError, "file": InputError}
    return kinds.get(query.origin, SqlError)(str(error))


def _print(answer: Rows, query: Query, options: Options, console: Console) -> None:
    """Print the answer on stdout; a table on a terminal fits its width."""
    fits = sys.stdout.isatty() or "COLUMNS" in os.environ
    if options.form == "table" and (fits or options.wide):
        _print_layout(answer, query, options, console)
    else:
        shown = replace(answer, rows=answer.rows[: options.rows]) if options.rows else answer
        for block in _blocks(shown, options.form):
            click.echo(block, nl=False)
    if not answer.rows:
        console.say("No rows.")


def _print_layout(answer: Rows, query: Query, options: Options, console: Console) -> None:
    """Print a table for a terminal, and say what it does not show."""
    from tp_tools.cli.terminal_table import ROWS_ON_TERMINAL, lay_out  # noqa: PLC0415

    default = ROWS_ON_TERMINAL if sys.stdout.isatty() else 0
    most_rows = default if options.rows is None else options.rows
    width = None if options.wide else shutil.get_terminal_size().columns
    layout = lay_out(answer, query.header, width, most_rows)
    click.echo("".join(f"{line}\n" for line in layout.lines), nl=False)
    if layout.omitted:
        console.say(f"{layout.omitted:,} more: -n 0")
    if layout.empty:
        console.say(f"NULL in every row: {', '.join(layout.empty)}.")
    if layout.left_out:
        console.say(
            f"No room for {', '.join(layout.left_out)}: --wide has it, and so has --format csv."
        )


def _blocks(answer: Rows, form: str) -> Iterator[bytes]:
    """The answer in its format, whole."""
    from tp_tools.cli.table import markdown, table  # noqa: PLC0415

    if form in {"table", "md"}:
        lines = markdown(answer) if form == "md" else table(answer).lines
        yield "".join(f"{line}\n" for line in lines).encode()
        return
    from tp_tools.querying import frames  # noqa: PLC0415  pandas

    yield from frames.written(answer, cast("Format", form))
