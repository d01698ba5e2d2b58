"""Repair several traces at a time, with a line for each: `tp-tools fix traces/`."""

from __future__ import annotations

import json
import shlex
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from msgspec import Struct, field
from msgspec.structs import replace

from tp_tools.cli.cluster import ClusterOptions
from tp_tools.cli.fix_one import FOUND, SHOWN
from tp_tools.errors import TpToolsError, Unreachable, UsageError
from tp_tools.files import copies, open_source, temporary
from tp_tools.files.default_output import FIXED, beside, stem
from tp_tools.files.remote import is_url
from tp_tools.processes.worker import FileCall
from tp_tools.progress import Reporter
from tp_tools.repair.trace_file import FileOptions, Repaired, repair

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tp_tools.cli.console import Console
    from tp_tools.cli.fix_one import Options
    from tp_tools.processes import Pool
    from tp_tools.processes.worker import Call


class Outcome(Struct, frozen=True):
    """What became of one of several traces.

    Attributes:
        text: the line about it, without its name.
        code: the exit code that it alone would have.
        is_written: whether its result was written.
        numbers: the object of `--summary json`; None where there is none.
        warnings: the warnings.
    """

    text: str
    code: int = 0
    is_written: bool = False
    numbers: dict[str, Any] | None = None
    warnings: tuple[str, ...] = ()


class _Warnings(Struct, Reporter):
    """Keeps warnings.

    Attributes:
        lines: the warnings so far.
    """

    lines: list[str] = field(default_factory=list)

    def warn(self, line: str) -> None:
        """Keep a warning."""
        self.lines.append(line)


def run(names: Sequence[str], output: str | None, options: Options, console: Console) -> None:
    """Repair the traces that arguments stand for, and say of each what was done.

    Args:
        names: files, folders and globs.
        output: the folder of the results; None for those of the traces.
        options: for each trace; its names of files do not count.
        console: shows lines and progress.

    Raises:
        click.exceptions.Exit: with the exit code of the worst trace, if that is not 0.
        UsageError: an output exists, or two traces have the same.
        InputError: there is no trace.
    """
    from tp_tools.merging import job_files  # noqa: PLC0415  not for --help
    from tp_tools.processes.pool import ALONE  # noqa: PLC0415

    if options.file.short_names and options.file.check:
        raise UsageError("--check writes nothing: leave out --short-names.")
    outcomes: dict[str, Outcome] = {}
    with ClusterOptions(options.ray, allow_missing=False).workers(console) as workers:
        found = job_files.list_traces(names, pool=workers.pool or ALONE)
        found.say_left_out(console)
        targets = _targets(found.files, output, options)
        with console.stage(f"repairing {len(targets)} traces") as stage:
            for file, outcome in _repaired(targets, options, workers.pool):
                outcomes[file] = outcome
                for line in outcome.warnings:
                    stage.warn(line)
                if outcome.code in {0, FOUND}:
                    stage.say(outcome.text)
    for outcome in outcomes.values():
        if outcome.code not in {0, FOUND}:
            click.echo(f"tp-tools: {outcome.text}", err=True)
    _report(outcomes, targets, options, console)
    worst = max(outcome.code for outcome in outcomes.values())
    if worst:
        raise click.exceptions.Exit(worst)


def repair_apart(target: str, options: FileOptions, output: Path | None = None) -> Outcome:
    """Repair one trace into a file that its caller moves; called in a worker.

    Args:
        target: the output as users know it.
        options: for the trace; its output does not count.
        output: a file in a folder that outlives no signal; None where nothing is written.

    Raises:
        Unreachable: a server did not answer, and may another time.
    """
    from tp_tools.files.foreign import refuse_foreign  # noqa: PLC0415  not for --help

    kept = _Warnings()
    beside = None if output is None else output.parent
    options = replace(options, output=str(output or ""))
    try:
        with temporary.in_folder(beside), copies.kept():
            refuse_foreign(options.trace, by_perfetto=False, is_whole=True)
            with open_source(options.trace) as source:
                repaired = repair(source, options, kept)
    except Unreachable:
        raise
    except TpToolsError as error:
        text = str(error).replace(options.output, target) if options.output else str(error)
        return Outcome(text, error.exit_code, warnings=tuple(kept.lines))
    if repaired is None:
        return Outcome(f"{options.trace}: {SHOWN}.", warnings=tuple(kept.lines))
    return _outcome(repaired, target, options, kept.lines)


def _outcome(
    repaired: Repaired, target: str, options: FileOptions, warnings: Sequence[str]
) -> Outcome:
    from tp_tools.cli import fix_summary  # noqa: PLC0415

    is_sound = repaired.analysis.is_sound()
    if repaired.is_written:
        done = f"wrote {target}" + (", verified" if repaired.is_verified else "")
    elif is_sound:
        done = "" if options.check else "not written (--all does)"
    else:
        done = "to be repaired"
    numbers = repaired.numbers(replace(options, output=target))
    found = fix_summary.in_one_line(repaired.analysis, numbers)
    return Outcome(
        f"{options.trace}: {'; '.join(filter(None, [found, done]))}.",
        FOUND if options.check and not is_sound else 0,
        repaired.is_written,
        numbers,
        tuple(warnings),
    )


def _targets(files: Sequence[str], output: str | None, options: Options) -> dict[str, str]:
    """Return the output of each trace, and check that all can be written.

    Raises:
        UsageError: `output` is no folder, an output exists, or two traces have the same.
        OutputError: an output cannot be written.
    """
    from tp_tools.files import output as outputs  # noqa: PLC0415

    if output is not None and not Path(output).is_dir():
        raise UsageError(f"{output}: is no folder. Several traces want one, which is there.")
    targets: dict[str, str] = {}
    for file in files:
        target = (
            beside(file, FIXED) if output is None else str(Path(output) / f"{stem(file)}{FIXED}")
        )
        if target in targets.values():
            raise UsageError(f"{target}: would be the output of two traces. Give one at a time.")
        targets[file] = target
        if not options.file.check:
            outputs.check(target, force=options.force)
            outputs.refuse_input(target, files)
    return targets


def _repaired(
    targets: dict[str, str], options: Options, cluster: Pool | None
) -> Iterator[tuple[str, Outcome]]:
    """Repair traces in a pool; move each result to its place once it is whole.

    Args:
        targets: the output of each trace.
        options: for each trace.
        cluster: the pool that is open; None for workers of this machine.
    """
    from tp_tools.files.source import disk_size  # noqa: PLC0415
    from tp_tools.processes.local import default_jobs, open_pool  # noqa: PLC0415

    with ExitStack() as stack:
        fetched = stack.enter_context(copies.kept())
        folders = {} if options.file.check else _folders(targets, stack)
        apart = {
            file: folders[Path(target).parent] / f"{number}{FIXED}"
            for number, (file, target) in enumerate(targets.items())
            if folders
        }
        calls = (
            FileCall(
                partial(repair_apart, target, replace(options.file, trace=file)),
                returns=(apart[file],) if file in apart else (),
                inputs=(file,),
            )
            for file, target in targets.items()
        )
        if (pool := cluster) is None:
            jobs = min(options.jobs or default_jobs(disk_size(targets)), len(targets))
            pool = stack.enter_context(open_pool(0 if jobs == 1 else jobs, ahead=1, helps=False))
            if any(map(is_url, targets)):
                pool.on_each_worker(partial(copies.share, fetched.folder()))
        for file, call in zip(targets, pool.outcomes(calls), strict=True):
            outcome = _done(call, file)
            if outcome.is_written:
                apart[file].replace(targets[file])
            yield file, outcome


def _done(call: Call[Outcome], file: str) -> Outcome:
    """Return what became of a trace, also where its task was lost or a server did not answer."""
    try:
        return call()
    except TpToolsError as error:
        text = str(error)
        return Outcome(text if text.startswith(file) else f"{file}: {text}", error.exit_code)


def _folders(targets: dict[str, str], stack: ExitStack) -> dict[Path, Path]:
    """Make a temporary folder in each folder of outputs, for the time of the stack."""
    parents = dict.fromkeys(Path(target).parent for target in targets.values())
    return {parent: stack.enter_context(temporary.folder(parent)) for parent in parents}


def _report(
    outcomes: dict[str, Outcome], targets: dict[str, str], options: Options, console: Console
) -> None:
    """Print the objects of `--summary json`, and the next command."""
    for outcome in outcomes.values():
        if options.summary and outcome.numbers is not None:
            click.echo(json.dumps(outcome.numbers))
    written = [targets[file] for file, outcome in outcomes.items() if outcome.is_written]
    if written and not options.file.check:
        console.say(f"Next: tp-tools view {shlex.quote(written[0])}")
