"""Repair one trace: `tp-tools fix`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tp_tools.cli import fix_one, fix_several
from tp_tools.cli.cluster import ray_option
from tp_tools.cli.fix_one import Options
from tp_tools.cli.options import (
    complete_files,
    console_options,
    duration,
    engine_option,
    limit_options,
    traces_argument,
)
from tp_tools.errors import UsageError
from tp_tools.files import remote
from tp_tools.files.default_output import FIXED, beside
from tp_tools.repair import TOLERANCE_NS
from tp_tools.repair.trace_file import FileOptions, pftrace_options

if TYPE_CHECKING:
    from tp_tools.cli.console import Console
    from tp_tools.writing.pftrace.options import Lanes

STDOUT = "-"


@click.command("fix", short_help="Repair one trace.")
@traces_argument
@click.option(
    "--output",
    "-o",
    metavar="OUT",
    shell_complete=complete_files,
    help="Where to write; - is stdout; a folder for several traces. Default: NAME.fixed.json.gz "
    "beside each.",
)
@click.option("--check", is_flag=True, help="Write nothing; exit 1 if there is anything to repair.")
@click.option("--verify", is_flag=True, help="Load the result into TraceProcessor and prove it.")
@click.option(
    "--tolerance",
    "tolerance_ns",
    type=duration,
    metavar="DURATION",
    help="CPU slices and annotations that overlap by at most this much are trimmed, not moved. "
    f"Default: {TOLERANCE_NS / 1000:g}us; 0 of an export, whose times are exact.",
)
@click.option("--summary", type=click.Choice(["json"]), help="Print the summary as JSON on stdout.")
@click.option(
    "--lanes",
    type=click.Choice(["shared", "rows"]),
    help="In a .pftrace: moved slices share the row of their stream (default), or have rows of "
    "their own, as in JSON.",
)
@click.option(
    "--short-names",
    is_flag=True,
    help="Give kernels names that can be read; args keep the full ones (tpt_name).",
)
@click.option("--all", "sound", is_flag=True, help="Of several traces write the sound ones, too.")
@click.option("--open", "opened", is_flag=True, help="Show the result in the Perfetto UI.")
@click.option("--force", is_flag=True, help="Replace an existing output.")
@click.option(
    "--jobs",
    "-j",
    type=click.IntRange(1),
    help="Processes that read, write and verify a large trace together, and engines that are asked "
    "about its overlaps. Default: one per core, up to 4. Of several traces: those worked on at a "
    "time; default: one per core.",
)
@ray_option
@engine_option
@limit_options
@console_options
def command(  # noqa: PLR0917  click passes all by name
    traces: tuple[str, ...],
    output: str | None,
    check: bool,  # noqa: FBT001  click passes flags by name
    verify: bool,  # noqa: FBT001
    tolerance_ns: int | None,
    summary: str | None,
    lanes: Lanes | None,
    short_names: bool,  # noqa: FBT001
    sound: bool,  # noqa: FBT001
    opened: bool,  # noqa: FBT001
    force: bool,  # noqa: FBT001
    jobs: int | None,
    ray: str | None,
    engine: str | None,
    console: Console,
) -> None:
    """Repair each TRACE: what Perfetto shows is then what the profiler recorded.

    TRACE is Chrome JSON as PyTorch's profiler writes it, plain, .gz or .zst; - is stdin. Of several
    traces, a folder or a glob each gets a line; those without anything to repair are not written,
    and the exit code is that of the worst.

    \b
    Examples:
      tp-tools fix rank0.json.gz
      tp-tools fix rank0.json.gz -o fixed.json --verify
      tp-tools fix rank0.json.gz -o fixed.pftrace
      tp-tools fix rank0.json.gz --check --summary json
      tp-tools fix traces/ --verify
      tp-tools fix s3://bucket/job/ -o fixed/ --ray auto
    """
    several = is_several(traces)
    nameless = several or (check and traces[0] == STDOUT)
    target = output or (STDOUT if nameless else beside(traces[0], FIXED))
    file = FileOptions(
        traces[0],
        target,
        check,
        verify,
        tolerance_ns,
        engine,
        pftrace_options(target, lanes),
        short_names,
        several and not sound,
    )
    options = Options(file, summary == "json", force, jobs, opened, ray)
    _run(traces, output, options, console)


def _run(traces: tuple[str, ...], output: str | None, options: Options, console: Console) -> None:
    """Repair one trace or several; show the result where that is asked for."""
    several = is_several(traces)
    if options.open and (options.file.check or several or options.file.output == STDOUT):
        raise UsageError("--open shows the result of one trace, which is written to a file.")
    if options.ray is not None and not several:
        raise UsageError("--ray repairs several traces at a time: give a folder, or a pattern.")
    if several:
        fix_several.run(traces, output, options, console)
        return
    fix_one.run(options, console)
    if options.open:
        _open(options.file.output, options.file.engine, console)


def is_several(traces: tuple[str, ...]) -> bool:
    """Tell whether the arguments may stand for several traces: names, a folder or a glob."""
    if remote.is_url(traces[0]):
        return len(traces) > 1 or remote.is_pattern(traces[0]) or remote.is_folder(traces[0])
    # any text can be a name, and none raises here
    is_there = os.path.exists(traces[0])  # noqa: PTH110
    is_glob = any(character in traces[0] for character in "*?[") and not is_there
    if len(traces) > 1 or is_glob or not os.path.isdir(traces[0]):  # noqa: PTH112
        return len(traces) > 1 or is_glob
    from tp_tools import nsys  # noqa: PLC0415  not for --help

    return not nsys.is_parquet_folder(Path(traces[0]))


def _open(output: str, engine: str | None, console: Console) -> None:
    from tp_tools.cli import view  # noqa: PLC0415  not for --help
    from tp_tools.merging.rank_names import RankChoice  # noqa: PLC0415

    options = view.Options(
        (output,), RankChoice(), online=False, browser=True, port=None, raw=False, engine=engine
    )
    view.run(options, console)
