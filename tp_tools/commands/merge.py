"""`tp-tools merge`: all ranks of a job in one trace, on one clock."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

import click

from tp_tools.commands.options import engine_option, talk_options
from tp_tools.errors import UsageError

if TYPE_CHECKING:
    from tp_tools.alignment import Mode
    from tp_tools.gather import Form
    from tp_tools.merge import Wishes
    from tp_tools.show.talk import Talk

_MS = re.compile(r"-?\d+(\.\d{1,6})?")


class Milliseconds(click.ParamType):
    """A time in ms, decimals allowed; its value is int nanoseconds."""

    name = "ms"

    def convert(
        self,
        value: Any,  # noqa: ANN401  click's signature
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> int:
        """Nanoseconds; fails on anything but a decimal number with up to six decimals."""
        if isinstance(value, int):
            return value
        if not _MS.fullmatch(value.strip()):
            self.fail(
                f"{value!r} is no number of milliseconds with up to six decimals.", param, ctx
            )
        return int(Decimal(value.strip()) * 1_000_000)


@click.command("merge", short_help="Merge all ranks of a job.")
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option("--output", "-o", required=True, metavar="OUT", help="Where to write; - is stdout.")
@click.option(
    "--align",
    type=click.Choice(["auto", "collectives", "base", "none"]),
    default="auto",
    show_default=True,
    help="The common clock. auto: fitted to common collectives where there are enough, else base "
    "times; collectives: insists on them; base: base times; none: times as they are written.",
)
@click.option("--gpu-only", is_flag=True, help="Only what runs on GPUs, with its annotations.")
@click.option(
    "--exclude",
    "excluded",
    multiple=True,
    metavar="CAT",
    help="Leave out a category, such as python_function; may be repeated.",
)
@click.option(
    "--start", "start_ns", type=Milliseconds(), metavar="MS", help="Only what ends after this time."
)
@click.option(
    "--end",
    "end_ns",
    type=Milliseconds(),
    metavar="MS",
    help="Only what begins before this time. Both count from the first event of all ranks.",
)
@click.option("--no-links", is_flag=True, help="No arrows between the ranks of a collective.")
@click.option("--allow-missing", is_flag=True, help="Go on where ranks of the job have no file.")
@click.option("--profile", metavar="ID", help="Of several profiles in a folder, this one (SGLang).")
@click.option("--stage", metavar="NAME", help="Of several stages, this one (SGLang: decode, ...).")
@click.option("--jobs", "-j", type=click.IntRange(1), help="Ranks worked on at a time.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["trace", "archive"]),
    default="trace",
    show_default=True,
    help="archive: a zip of the traces as they are, with clocks, for Perfetto v58 and later.",
)
@click.option("--summary", type=click.Choice(["json"]), help="Print the summary as JSON on stdout.")
@click.option("--force", is_flag=True, help="Replace an existing output.")
@engine_option
@talk_options
def command(inputs: tuple[str, ...], output: str, talk: Talk, **options: Any) -> None:  # noqa: ANN401
    """Merge the ranks of a job: each repaired as by fix, all on one clock.

    INPUT: traces, folders or globs, in any order. Ranks are told by distributedInfo and by the
    names of the files.

    \b
    Examples:
      tp-tools merge traces/ -o all.json.gz
      tp-tools merge 'run7/*TP-*.json.gz' -o all.json.gz --gpu-only
      tp-tools merge traces/ -o step.json.gz --start 1200 --end 1350 --exclude python_function
    """  # noqa: D301  click wants the character, not the backslash
    if options["summary"] and output == "-":
        raise UsageError("--summary json and -o - both want stdout; give one of them a file.")
    _run(inputs, output, talk, options)


def _wishes(options: dict[str, Any]) -> Wishes:
    from tp_tools.merge import Wishes  # noqa: PLC0415  numpy and msgspec: not for --help
    from tp_tools.ranks import Choice  # noqa: PLC0415

    start, end = options["start_ns"], options["end_ns"]
    if None not in (start, end) and start >= end:
        raise UsageError("--start is not before --end: nothing would be left.")
    return Wishes(
        align=cast("Mode", options["align"]),
        choice=Choice(options["profile"], options["stage"], options["allow_missing"]),
        gpu_only=options["gpu_only"],
        excluded=frozenset(options["excluded"]),
        start_ns=start,
        end_ns=end,
        links=not options["no_links"],
        engine=options["engine"],
    )


def _run(inputs: tuple[str, ...], output: str, talk: Talk, options: dict[str, Any]) -> None:
    from pathlib import Path  # noqa: PLC0415

    from tp_tools import merge  # noqa: PLC0415
    from tp_tools import output as out  # noqa: PLC0415
    from tp_tools.show import merged as shown  # noqa: PLC0415
    from tp_tools.workers import workers  # noqa: PLC0415

    wishes = _wishes(options)
    out.check(output, force=options["force"])
    files = merge.files(inputs, output, wishes.choice)
    size = sum(Path(file).stat().st_size for file in files)
    with workers(options["jobs"] or merge.usual_jobs(files)) as staff:
        with talk.progress(f"reading {len(files)} ranks", size) as seen:
            prepared = merge.prepare(files, wishes, staff, talk.say, seen)
        about = shown.summary(prepared)
        with talk.progress(f"writing {output}", size) as seen:
            form: Form = "pftrace" if output.endswith(out.PFTRACE_SUFFIXES) else "json"
            blocks = merge.merged(prepared, staff, about, form, seen)
            with out.written(output, blocks):
                pass
    for line in shown.lines(prepared):
        talk.say(line)
    talk.say(f"Wrote {output}.")
    if options["summary"]:
        counts = prepared.counts
        numbers = {
            **about,
            "events": counts.events,
            "slices": counts.slices,
            "flows": counts.flows,
            "links": counts.links,
            "output": output,
        }
        click.echo(json.dumps(numbers))
