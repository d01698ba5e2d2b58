"""All ranks of a job in one trace: found, repaired, on one clock, with arrows that are right."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from tp_tools import file_names, gather, inputs, ranks
from tp_tools import workers as staff
from tp_tools.alignment import Member, align
from tp_tools.errors import InputError
from tp_tools.file_names import Choice
from tp_tools.groups import collectives, matched
from tp_tools.jobs import MERGED_KEY
from tp_tools.rewrite import merged_json, merged_pftrace, together
from tp_tools.rewrite.merged import Placement, Selection
from tp_tools.rewrite.pftrace.part import Part

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tp_tools.alignment import Alignment, Mode
    from tp_tools.gather import Gathered, Written
    from tp_tools.ranks import Rank
    from tp_tools.rewrite.together import Collective
    from tp_tools.workers import Workers

SECOND_NS = 10**9
_BLOCK = 1 << 20
_NO_NAMES: dict[str, object] = {}


@dataclass(frozen=True)
class Wishes:
    """What a merge is to be like.

    Attributes:
        align: how clocks are brought together.
        choice: which ranks.
        gpu_only, excluded: which events.
        start_ns, end_ns: the window, in ns after the first event of any rank; None is open.
        links: whether arrows join the ranks of a collective.
        needs, args: what a query needs, as its header says; None for everything.
        engine: the TraceProcessor to ask; None for the default.
    """

    align: Mode = "auto"
    choice: Choice = field(default_factory=Choice)
    gpu_only: bool = False
    excluded: frozenset[str] = frozenset()
    start_ns: int | None = None
    end_ns: int | None = None
    links: bool = True
    needs: frozenset[str] | None = None
    args: frozenset[str] | None = None
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
        written, counts: filled in while the output is written.
    """

    ranks: list[Rank]
    gathered: list[Gathered]
    alignment: Alignment
    missing: list[int]
    first_ns: int
    wishes: Wishes
    spools: list[Path]
    written: list[Written] = field(default_factory=list)
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
        kinds = (wishes.gpu_only, wishes.excluded)
        return Selection(*kinds, start, end, wishes.needs, wishes.args)


def files(names: Sequence[str], output: str, choice: Choice) -> list[str]:
    """The traces that are meant, without an earlier output among them.

    Raises:
        InputError: there are none, or several profiles to choose from.
    """
    target = Path(output).absolute()
    found = [file for file in inputs.expand(names) if Path(file).absolute() != target]
    if not found:
        raise InputError(f"{', '.join(names)}: holds no trace besides the output itself.")
    return file_names.chosen(found, choice)


def usual_jobs(files: Sequence[str]) -> int:
    """How many ranks to work on at a time: one per core."""
    return max(1, min(staff.usual_jobs(), len(files)))


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
    form: gather.Form = "json",
    seen: Callable[[int], None] = lambda _: None,
) -> Iterator[bytes]:
    """The merged trace, block by block; fills in `prepared.counts`.

    Args:
        prepared: the ranks.
        workers: who writes them.
        about: what the output says about itself.
        form: what it is to be.
        seen: told the size of each input once it was written.

    Raises:
        InputError: a file changed meanwhile, or a rank has too many ids.
    """
    if form == "pftrace":
        yield from _parts(prepared, workers, form, seen)
        yield from _collectives_part(prepared, workers.folder / "collectives.json", about)
        return
    yield b'{"schemaVersion":1,"displayTimeUnit":"ns","baseTimeNanoseconds":%d,\n"%b":%b,\n' % (
        prepared.start_ns,
        MERGED_KEY.encode(),
        msgspec.json.encode(about),
    )
    yield b'"traceEvents":[\n'
    yield from merged_json.without_last_comma(_events(prepared, workers, seen))
    yield b"\n]}\n"


def _events(prepared: Prepared, workers: Workers, seen: Callable[[int], None]) -> Iterator[bytes]:
    """All events, each with a comma behind it."""
    yield from _parts(prepared, workers, "json", seen)
    first_flow = 1 + sum(it.links for it in prepared.gathered)
    links = prepared.wishes.links
    for block, count in together.events(_collectives(prepared), first_flow, links=links):
        prepared.counts.links += count
        yield block


def _parts(
    prepared: Prepared, workers: Workers, form: gather.Form, seen: Callable[[int], None]
) -> Iterator[bytes]:
    """What the workers write of each rank."""
    tables = [it.collectives for it in prepared.gathered]
    selection = prepared.selection()
    files = [
        gather.Files(it.file, spool, spool.with_suffix(".part"))
        for it, spool in zip(prepared.gathered, prepared.spools, strict=True)
    ]
    shared = matched(prepared.alignment, tables, selection, links=prepared.wishes.links)
    flows = np.cumsum([1, *(it.links for it in prepared.gathered)]).tolist()
    calls = (
        ((files[i], _placement(prepared, i, flows[i]), selection, shared[i], form), _NO_NAMES)
        for i in range(len(tables))
    )
    for it, lying in zip(workers.in_order(gather.write, calls), files, strict=True):
        yield from _file(lying.part)
        lying.part.unlink()
        prepared.written.append(it)
        _count(prepared.counts, it)
        seen(Path(lying.trace).stat().st_size)


def _collectives(prepared: Prepared) -> list[Collective]:
    """Every matched collective within the window, once all ranks are written."""
    tables = [it.collectives for it in prepared.gathered]
    names = [it.rank for it in prepared.ranks]
    selection = prepared.selection()
    found = collectives(prepared.alignment, tables, names, prepared.written)
    return [it for it in found if _is_inside(it, selection, prepared.start_ns)]


def _collectives_part(prepared: Prepared, between: Path, about: object) -> Iterator[bytes]:
    """The process of the collectives as packets, and what the output says about itself."""
    found = _collectives(prepared)
    if prepared.wishes.links:
        prepared.counts.links += sum(max(sum(p.shown for p in it.parts) - 1, 0) for it in found)
    blocks = [block for block, _ in together.events(found, 0, links=False)]
    trace = merged_pftrace.written(blocks, prepared.start_ns, between, {MERGED_KEY: about})
    plan = merged_pftrace.nothing_to_do(trace)
    yield from merged_pftrace.packets(between, trace, plan, Part(number=len(prepared.ranks)))


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
