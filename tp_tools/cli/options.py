"""Share options between commands, as decorators."""

from __future__ import annotations

import functools
import re
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from msgspec import Struct

from tp_tools.cli.console import Console
from tp_tools.cli.stages import PATIENCE_KEY, PATIENCE_S
from tp_tools.files import temporary
from tp_tools.processes import signals

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.shell_completion import CompletionItem

    from tp_tools.cli.cluster import ClusterOptions
    from tp_tools.merging.rank_names import RankChoice

Command = TypeVar("Command", bound="Callable[..., Any]")

_UNITS = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": 1_000_000_000}
_MILLISECONDS = re.compile(r"-?\d+(\.\d{1,6})?")
_PERCENTAGE = re.compile(r"(\d+(?:\.\d+)?)\s*%?")
_DURATION = re.compile(r"(\d+)(?:\.(\d{1,9}))?\s*(ns|us|ms|s)")


class TraceOptions(Struct, frozen=True):
    """Options of a command that describes traces; see the help texts."""

    traces: tuple[str, ...]
    choice: RankChoice
    form: str
    engine: str | None
    cluster: ClusterOptions


def complete_files(
    _ctx: click.Context, _param: click.Parameter | None, incomplete: str
) -> list[CompletionItem]:
    """Have the shell complete the names of files."""
    from click.shell_completion import CompletionItem  # noqa: PLC0415  for shells only

    return [CompletionItem(incomplete, type="file")]


def complete_queries(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete the names of queries where none was given yet, and files."""
    from click.shell_completion import CompletionItem  # noqa: PLC0415  for shells only

    from tp_tools import library  # noqa: PLC0415

    given = bool(ctx.params.get(param.name or ""))
    names = [] if given else [it for it in library.queries() if it.startswith(incomplete)]
    return [*map(CompletionItem, names), *complete_files(ctx, param, incomplete)]


def traces_argument(command: Command) -> Command:
    """Add the argument TRACE...; the command receives `traces`: a tuple of one text or more."""
    return click.argument(
        "traces", nargs=-1, required=True, metavar="TRACE...", shell_complete=complete_files
    )(command)


def duration(text: str) -> int:
    """Convert a duration with its unit to int nanoseconds: "1.5us" to 1500.

    Raises:
        click.BadParameter: the text has no unit, or a fraction of a nanosecond.
    """
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise click.BadParameter(f"{text!r} is no duration; write 500ns, 1us or 0.5ms.")
    whole, fraction, unit = match[1], match[2] or "", match[3]
    scaled = int(whole + fraction) * _UNITS[unit]
    scale: int = 10 ** len(fraction)
    if scaled % scale:
        raise click.BadParameter(f"{text!r} is finer than a nanosecond.")
    return scaled // scale


def milliseconds(text: str) -> int:
    """Convert a time in ms with up to six decimals to int nanoseconds: "1.5" to 1,500,000.

    Raises:
        click.BadParameter: the text is no decimal number, or has more decimals.
    """
    if not _MILLISECONDS.fullmatch(text.strip()):
        raise click.BadParameter(f"{text!r} is no number of milliseconds with up to six decimals.")
    return int(Decimal(text.strip()) * 1_000_000)


def percentage(text: str) -> float:
    """Convert a percentage to a share: "5%" and "5" to 0.05.

    Raises:
        click.BadParameter: the text is no such number, or it is negative.
    """
    match = _PERCENTAGE.fullmatch(text.strip())
    if match is None:
        raise click.BadParameter(f"{text!r} is no percentage; write 5% or 0.5%.")
    return float(match[1]) / 100


def console_options(command: Command) -> Command:
    """Add --quiet and --debug; the command receives `console`."""

    def remember_debug(ctx: click.Context, _param: click.Parameter, value: bool) -> None:  # noqa: FBT001
        ctx.meta["tp_tools.debug"] = value

    def make_console(ctx: click.Context, _param: click.Parameter, value: bool) -> Console:  # noqa: FBT001
        return Console(quiet=value, patience_s=ctx.meta.get(PATIENCE_KEY, PATIENCE_S))

    quiet = click.option(
        "--quiet",
        "-q",
        "console",
        is_flag=True,
        callback=make_console,
        help="No progress, no summary.",
    )
    debug = click.option(
        "--debug",
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=remember_debug,
        help="Show a traceback where there is an error.",
    )
    return quiet(debug(command))


def choice_options(command: Command) -> Command:
    """Add --profile and --stage, for a folder that holds several; the command receives `choice`."""

    @functools.wraps(command)
    def with_choice(*args: Any, profile: str | None, stage: str | None, **more: Any) -> Any:  # noqa: ANN401  as click calls it
        from tp_tools.merging.rank_names import RankChoice  # noqa: PLC0415  not for --help

        return command(*args, choice=RankChoice(profile, stage, allow_missing=True), **more)

    profile = click.option(
        "--profile",
        metavar="ID",
        help="Of several profiles in a folder, this one: its name, or a part that no other has.",
    )
    stage = click.option(
        "--stage", metavar="NAME", help="Of several stages, this one (SGLang: decode, ...)."
    )
    return profile(stage(with_choice))  # type: ignore[return-value]  # a wrapper of the same command


def capture_option(command: Command) -> Command:
    """Add --capture; the command receives `captures`."""
    return click.option(
        "--capture",
        "captures",
        multiple=True,
        metavar="TRACE",
        shell_complete=complete_files,
        help="For modules and module_ops: a trace of captured CUDA graphs, or a folder of these, "
        "by which replays are taken apart. Default: a folder capture_traces beside the traces. "
        "Repeatable.",
    )(command)


def engine_option(command: Command) -> Command:
    """Add --engine; the command receives `engine`."""
    return click.option(
        "--engine",
        metavar="E",
        help="TraceProcessor: embedded (default), native, or the path of a trace_processor_shell. "
        "$TP_TOOLS_ENGINE sets the default.",
    )(command)


def judged_phase_option(command: Command) -> Command:
    """Add --phase, whose steps are judged; the command receives `phase`."""
    return click.option(
        "--phase", metavar="NAME", help="Judge steps of this phase (prefill, decode, ...)."
    )(command)


def verdict_option(command: Command) -> Command:
    """Add --summary, the form of a verdict; the command receives `summary`."""
    return click.option(
        "--summary",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        help="json is one object.",
    )(command)


def limit_options(command: Command) -> Command:
    """Add --timeout, --tmp and --longest-event, which hold while the command runs.

    It receives none of them.
    """

    def limit_time(ctx: click.Context, _param: click.Parameter, value: float | None) -> None:
        if value is not None:
            ctx.with_resource(signals.time_limit(value))

    def choose_folder(ctx: click.Context, _param: click.Parameter, value: Path | None) -> None:
        if value is not None:
            ctx.with_resource(temporary.in_folder(value))

    def allow_long(ctx: click.Context, _param: click.Parameter, value: int | None) -> None:
        if value is not None:
            from tp_tools.chrome.stream import longest_event  # noqa: PLC0415  not for --help

            ctx.with_resource(longest_event(value))

    longest = click.option(
        "--longest-event",
        type=click.IntRange(1),
        metavar="MIB",
        expose_value=False,
        callback=allow_long,
        help="Hold up to so many MiB of text in which no event ends. Default: 256.",
    )
    timeout = click.option(
        "--timeout",
        type=click.FloatRange(0, min_open=True),
        metavar="S",
        expose_value=False,
        callback=limit_time,
        help="Give up after S seconds, with exit code 4. Default: no limit.",
    )
    tmp = click.option(
        "--tmp",
        type=click.Path(exists=True, file_okay=False, writable=True, path_type=Path),
        metavar="DIR",
        expose_value=False,
        callback=choose_folder,
        help="Where temporary files go. Default: beside the output, else $TMPDIR.",
    )
    return timeout(tmp(longest(command)))


def set_option(command: Command) -> Command:
    """Add --set; the command receives `values`: a tuple of texts NAME=VALUE."""
    option = click.option(
        "--set",
        "values",
        multiple=True,
        metavar="NAME=VALUE",
        help="Set a parameter that QUERY declares: a number, text, or a range such as 3..5. "
        "`tp-tools sql NAME` shows them. Repeatable.",
    )
    return option(command)
