"""All ranks of a job in one trace: found, repaired, on one clock, with arrows that are right."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from tp_tools import gather, inputs, ranks
from tp_tools.alignment import Member, align
from tp_tools.errors import InputError
from tp_tools.groups import collectives, matched
from tp_tools.jobs import MERGED_KEY
from tp_tools.rewrite import together
from tp_tools.rewrite.merged import Placement, Selection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from tp_tools.alignment import Alignment, Mode
    from tp_tools.gather import Gathered, Written
    from tp_tools.ranks import Choice, Rank
    from tp_tools.rewrite.together import Collective
    from tp_tools.workers import Workers

SECOND_NS = 10**9
_BLOCK = 1 << 20
_COMMA = b",\n"


@dataclass(frozen=True)
class Wishes:
    """What a merge is to be like.

    Attributes:
        align: how clocks are brought together.
        choice: which ranks.
        gpu_only, excluded: which events.
        start_ns, end_ns: the window, in ns after the first event of any rank; None is open.
        links: whether arrows join the ranks of a collective.
        engine: the TraceProcessor to ask; None for the default.
    """

    align: Mode = "auto"
    choice: Choice = field(default_factory=ranks.Choice)
    gpu_only: bool = False
    excluded: frozenset[str] = frozenset()
    start_ns: int | None = None
    end_ns: int | None = None
    links: bool = True
    engine: str | None = None


@dataclass
class Counts:
    """What was written so far."""

    events: int = 0
    slices: int = 0
    flows: int = 0
    links: int = 0


@dataclass(frozen=True)
class Prepared:
    """Everything that is known before the first byte is written.

    Attributes:
        ranks: in order.
        gathered: what was read of each.
        alignment: their common clock and their matches.
        missing: ranks of the job without a file.
        first_ns: when the first rank begins, ns since the epoch on the common clock.
        wishes: what was asked for.
        spools: where each rank is kept.
        counts: filled in while the output is written.
    """

    ranks: list[Rank]
    gathered: list[Gathered]
    alignment: Alignment
    missing: list[int]
    first_ns: int
    wishes: Wishes
    spools: list[Path]
    counts: Counts = field(default_factory=Counts)

    @property
    def start_ns(self) -> int:
        """What times in the output are counted from: a whole second, ns since the epoch."""
        return self.first_ns // SECOND_NS * SECOND_NS

    def selection(self) -> Selection:
        """Which events are wanted."""
        wishes = self.wishes
        start, end = (
            None if it is None else self.first_ns + it for it in (wishes.start_ns, wishes.end_ns)
        )
        return Selection(wishes.gpu_only, wishes.excluded, start, end)


def files(names: Sequence[str], output: str, choice: Choice) -> list[str]:
    """The traces that are meant, without an earlier output among them.

    Raises:
        InputError: there are none, or several profiles to choose from.
    """
    target = Path(output).absolute()
    found = [file for file in inputs.expand(names) if Path(file).absolute() != target]
    if not found:
        raise InputError(f"{', '.join(names)}: holds no trace besides the output itself.")
    return ranks.chosen(found, choice)


def usual_jobs(files: Sequence[str]) -> int:
    """How many ranks to work on at a time: one per core."""
    return max(1, min(len(os.sched_getaffinity(0)), len(files)))


def prepare(
    listed: Sequence[str],
    wishes: Wishes,
    workers: Workers,
    say: Callable[[str], None],
    seen: Callable[[int], None] = lambda _: None,
) -> Prepared:
    """Reads all ranks and puts them on one clock.

    Args:
        listed: their files, in any order.
        wishes: what the merge is to be like.
        workers: who reads them.
        say: gets lines about what was found.
        seen: told the size of each file once it was read.

    Raises:
        InputError: a file cannot be used, or the files are not the ranks of one job.
        EngineError: TraceProcessor could not answer.
    """
    spools = [workers.folder / f"{number}.rank" for number in range(len(listed))]
    based = {"based": wishes.align != "none"}
    calls = [
        ((file, spool, wishes.engine), based) for file, spool in zip(listed, spools, strict=True)
    ]
    read: list[Gathered] = []
    for it in workers.in_order(gather.gather, calls):
        read.append(it)
        seen(Path(it.file).stat().st_size)
    _refuse(read)
    ordered, missing = ranks.resolve([(it.file, it.said) for it in read], wishes.choice, say)
    gathered = [read[it.place] for it in ordered]
    alignment = align(
        [_member(*pair) for pair in zip(gathered, ordered, strict=True)], wishes.align
    )
    begins = [
        int(aligned.clock.common(np.array([it.first_ns]))[0])
        for it, aligned in zip(gathered, alignment.ranks, strict=True)
        if it.first_ns is not None
    ]
    kept = [spools[it.place] for it in ordered]
    return Prepared(ordered, gathered, alignment, missing, min(begins), wishes, kept)


def _refuse(read: list[Gathered]) -> None:
    """Raises InputError for what is no rank."""
    for it in read:
        if it.said.is_merged:
            raise InputError(f"{it.file}: is the result of a merge. Leave it out.")
    if all(it.first_ns is None for it in read):
        raise InputError(f"{read[0].file}: has no event with a time, nor have the others.")


def _member(gathered: Gathered, rank: Rank) -> Member:
    middle = ((gathered.first_ns or 0) + (gathered.last_ns or 0)) // 2
    return Member(gathered.collectives, middle, gathered.said.host, rank.replica)


def merged(
    prepared: Prepared,
    workers: Workers,
    about: object,
    seen: Callable[[int], None] = lambda _: None,
) -> Iterator[bytes]:
    """The merged trace as Chrome JSON, block by block; fills in `prepared.counts`.

    Args:
        prepared: the ranks.
        workers: who writes them.
        about: what the output says about itself.
        seen: told the size of each input once it was written.

    Raises:
        InputError: a file changed meanwhile, or a rank has too many ids.
    """
    yield b'{"schemaVersion":1,"displayTimeUnit":"ns","baseTimeNanoseconds":%d,\n"%b":%b,\n' % (
        prepared.start_ns,
        MERGED_KEY.encode(),
        msgspec.json.encode(about),
    )
    yield b'"traceEvents":[\n'
    yield from _without_last_comma(_events(prepared, workers, seen))
    yield b"\n]}\n"


def _events(prepared: Prepared, workers: Workers, seen: Callable[[int], None]) -> Iterator[bytes]:
    """All events, each with a comma behind it."""
    tables = [it.collectives for it in prepared.gathered]
    numbers = matched(prepared.alignment, tables)
    files = [
        gather.Files(it.file, spool, spool.with_suffix(".part"))
        for it, spool in zip(prepared.gathered, prepared.spools, strict=True)
    ]
    selection = prepared.selection()
    flows = np.cumsum([1, *(it.links for it in prepared.gathered)]).tolist()
    calls = (
        (
            (files[place], _placement(prepared, place, flows[place]), selection, numbers[place]),
            dict[str, object](),
        )
        for place in range(len(tables))
    )
    written = []
    for it, lying in zip(workers.in_order(gather.write, calls), files, strict=True):
        yield from _file(lying.part)
        lying.part.unlink()
        written.append(it)
        _count(prepared.counts, it)
        seen(Path(lying.trace).stat().st_size)
    names = [it.rank for it in prepared.ranks]
    found = collectives(prepared.alignment, tables, names, written)
    inside = [it for it in found if _is_inside(it, selection, prepared.start_ns)]
    for block, count in together.events(inside, flows[-1], links=prepared.wishes.links):
        prepared.counts.links += count
        yield block


def _placement(prepared: Prepared, place: int, first_flow: int) -> Placement:
    rank = prepared.ranks[place]
    return Placement(
        rank=rank.rank,
        title=rank.title,
        position=place,
        clock=prepared.alignment.ranks[place].clock,
        base_ns=prepared.gathered[place].base_ns,
        start_ns=prepared.start_ns,
        first_flow=first_flow,
    )


def _count(counts: Counts, written: Written) -> None:
    counts.events += written.events
    counts.slices += written.slices
    counts.flows += written.flows


def _is_inside(collective: Collective, selection: Selection, start_ns: int) -> bool:
    first, end = collective.first.ts + start_ns, collective.end + start_ns
    begun = selection.end_ns is None or first < selection.end_ns
    return begun and (selection.start_ns is None or end > selection.start_ns)


def _file(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            yield block


def _without_last_comma(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The same text without the separator behind the last event."""
    held = b""
    for block in blocks:
        text = held + block
        held = text[-len(_COMMA) :]
        yield text[: -len(_COMMA)]
    yield held.removesuffix(_COMMA)
