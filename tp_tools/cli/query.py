"""Run SQL on traces: `tp-tools query`."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import click
from msgspec import Struct
from msgspec.structs import replace

from tp_tools.cli import query_output
from tp_tools.cli.cluster import ClusterOptions, cluster_options
from tp_tools.cli.options import (
    capture_option,
    choice_options,
    complete_files,
    complete_queries,
    console_options,
    engine_option,
    limit_options,
    set_option,
)
from tp_tools.cli.query_output import STDOUT, OutputOptions, format_of
from tp_tools.errors import InputError, SqlError, TpToolsError, UsageError

if TYPE_CHECKING:
    from tp_tools.cli.console import Console
    from tp_tools.merging.rank_names import RankChoice
    from tp_tools.querying.lookup import Query


class Options(Struct, frozen=True):
    """Options of the command line; see the help texts."""

    query: str | None
    sql: str | None
    traces: tuple[str, ...]
    choice: RankChoice
    raw: bool
    all_categories: bool
    limit: int | None
    captures: tuple[str, ...]
    values: tuple[str, ...]
    engine: str | None
    cluster: ClusterOptions
    written: OutputOptions


@click.command("query", short_help="Run SQL on traces.")
@click.argument("arguments", nargs=-1, metavar="QUERY TRACE...", shell_complete=complete_queries)
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
    shell_complete=complete_files,
    default=STDOUT,
    help="Where the rows go, whole or not at all: a file, or a folder, which gets a file for each "
    "query. Default: stdout.",
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
    help="Read only the first N rows of each trace.",
)
@click.option("--raw", is_flag=True, help="Load the file as it is, not as repaired.")
@click.option(
    "--all-categories",
    is_flag=True,
    help="Load all events, not only those that QUERY says in its header it needs.",
)
@capture_option
@set_option
@click.option(
    "--peak",
    type=click.FloatRange(0, min_open=True),
    metavar="TFLOPS",
    help="For roofline: what the GPU computes at most, in place of its data sheet; --set peak.",
)
@choice_options
@click.option(
    "--keep",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Keep what is computed of each rank there, and take what is there already: a further "
    "question, or one that was interrupted, costs what is new.",
)
@cluster_options
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
    captures: tuple[str, ...],
    values: tuple[str, ...],
    peak: float | None,
    engine: str | None,
    keep: Path | None,
    cluster: ClusterOptions,
    choice: RankChoice,
    console: Console,
) -> None:
    """Run QUERY on TRACE, and print the rows of its last statement.

    QUERY is a name in the library (`tp-tools sql` lists it) or the path of a .sql file, or several
    with commas between them, for which each trace is loaded once. TRACE is a file, a folder, a
    glob, a URL, or - for stdin: Chrome JSON, loaded as `tp-tools fix` would write it, or anything
    else that TraceProcessor reads. Several traces are the ranks of a job: their rows come
    with a column `rank`. A query about the job itself, such as allreduce, gets all ranks at once,
    on one clock as by `tp-tools merge`.

    SQL that TraceProcessor refuses ends in exit code 2 if it was given with -e, and 3 if it is in
    a file of yours.

    \b
    Examples:
      tp-tools query kernels rank0.json.gz
      tp-tools query kernels traces/ -o kernels.csv
      tp-tools query kernels,gaps,steps rank0.json.gz -o answers/
      tp-tools query allreduce.sql traces/
      tp-tools query kernels traces/ --set rank=0 --set steps=3..5
      tp-tools query my.sql 'traces/*.json.gz' --format json | jq .
      tp-tools query -e 'SELECT COUNT(*) AS slices FROM slice' rank0.json.gz
    """
    name, traces = (None, arguments) if sql is not None else _name_and_traces(arguments)
    if not traces:
        raise UsageError(_MISSING)
    values += () if peak is None else (f"peak={peak!r}",)
    written = OutputOptions(form or format_of(output), output, force, rows, sort, wide)
    _run(
        Options(
            name,
            sql,
            traces,
            choice,
            raw,
            all_categories,
            limit,
            captures,
            values,
            engine,
            replace(cluster, keep=keep),
            written,
        ),
        console,
    )


_MISSING = "give a query and a trace: tp-tools query kernels rank0.json.gz"


def _name_and_traces(arguments: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """Take the first argument for the query.

    Raises:
        UsageError: there is none, or it is a trace.
    """
    from tp_tools.merging import inputs  # noqa: PLC0415  numpy and msgspec: not for --help

    if not arguments:
        raise UsageError(_MISSING)
    name, *traces = arguments
    if name.endswith(inputs.SUFFIXES):
        raise UsageError(
            f"{name}: the query comes first, then the traces: tp-tools query kernels {name}"
        )
    return name, tuple(traces)


def _run(options: Options, console: Console) -> None:
    # numpy and msgspec: not for --help
    from tp_tools import library  # noqa: PLC0415
    from tp_tools.files import output  # noqa: PLC0415
    from tp_tools.querying import lookup  # noqa: PLC0415

    values = library.assignments(options.values)
    queries = (
        [lookup.from_text(options.sql, values)]
        if options.sql
        else lookup.from_names(options.query or "", values)
    )
    name = options.written.output
    with output.made_folder(name) if query_output.is_folder(name) else nullcontext():
        _answer(queries, options, console)


def _answer(queries: list[Query], options: Options, console: Console) -> None:
    from tp_tools.files import output, temporary  # noqa: PLC0415  not for --help
    from tp_tools.merging import job_files  # noqa: PLC0415  not for --help
    from tp_tools.processes.pool import ALONE  # noqa: PLC0415  not for --help
    from tp_tools.querying import LoadOptions, runner  # noqa: PLC0415  not for --help

    names = query_output.files(queries, options.written)
    for name in names:
        is_text = options.written.form != "parquet"
        output.check(name, force=options.written.force, suffixes=("",), is_text=is_text)
    try:
        with (
            temporary.in_folder(output.folder_of(names[0])),
            options.cluster.workers(console) as workers,
        ):
            with console.stage("telling ranks apart"):
                job = job_files.find(options.traces, options.choice, pool=workers.pool or ALONE)
            for name in names:
                output.refuse_input(name, job.files)
            job.say_left_out(console)
            answers = runner.run_queries(
                queries,
                job,
                LoadOptions(options.engine, options.raw, captures=options.captures),
                options.limit,
                console,
                all_categories=options.all_categories,
                workers=workers,
            )
    except SqlError as error:
        raise _as_error_of_author(error, queries) from error
    query_output.write(dict(zip(queries, answers, strict=True)), options.written, console)


def _as_error_of_author(error: SqlError, queries: list[Query]) -> TpToolsError:
    """Turn a refused query into an error of its author: the user, a user's file, the library."""
    kinds: dict[str, type[TpToolsError]] = {"text": UsageError, "file": InputError}
    origin = next((query.origin for query in queries if query.name == error.query), "library")
    return kinds.get(origin, SqlError)(str(error))
