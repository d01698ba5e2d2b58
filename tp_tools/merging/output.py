"""The merged trace as it is written: the ranks one after the other, then what joins them."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tp_tools.chrome.metadata import MERGED_KEY
from tp_tools.chrome.sanitize import encoded
from tp_tools.files.gzip_parts import gzip, text
from tp_tools.merging import collective_tracks, json_fragment
from tp_tools.merging.matched import collectives, matches_of_rank
from tp_tools.merging.placement import RankPlacement
from tp_tools.merging.write_rank import Files, write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tp_tools.files.gzip_parts import GzipPart
    from tp_tools.merging.collective_tracks import Collective
    from tp_tools.merging.preparation import Counts, MergePlan
    from tp_tools.merging.selection import Selection
    from tp_tools.merging.write_rank import Form, RankFragment
    from tp_tools.processes.pool import Pool


def blocks(
    prepared: MergePlan,
    pool: Pool,
    about: object,
    form: Form = "json",
    seen: Callable[[int], None] = lambda _: None,
    *,
    packed: bool = False,
) -> Iterator[bytes]:
    """The merged trace, block by block; fills in `prepared.counts`.

    Args:
        prepared: the ranks.
        pool: processes that write them.
        about: what the output says about itself.
        form: what it is to be.
        seen: told the size of each input once it was written.
        packed: whether it is compressed, by the workers, as gzip.

    Raises:
        InputError: a file changed meanwhile, or a rank has too many ids.
    """
    parts = _parts(prepared, pool, form, seen, packed=packed)
    make = _packets if form == "pftrace" else _json
    pieces = make(prepared, parts, about)
    yield from gzip(pieces) if packed else text(pieces)


def _packets(prepared: MergePlan, parts: Iterator[GzipPart], about: object) -> Iterator[GzipPart]:
    yield from parts
    yield from _collectives_part(prepared, prepared.folder / "collectives.json", about)


def _json(prepared: MergePlan, parts: Iterator[GzipPart], about: object) -> Iterator[GzipPart]:
    yield b'{"schemaVersion":1,"displayTimeUnit":"ns","baseTimeNanoseconds":%d,\n"%b":%b,\n' % (
        prepared.start_ns,
        MERGED_KEY.encode(),
        encoded(about),
    )
    yield b'"traceEvents":[\n'
    separator = b""
    for part in parts:
        yield separator
        yield part
        separator = b",\n"
    for block in json_fragment.without_last_comma(_added(prepared)):
        yield separator if block else b""
        yield block
        separator = b"" if block else separator
    yield b"\n]}\n"


def _added(prepared: MergePlan) -> Iterator[bytes]:
    """The events that join the ranks, each with a comma behind it."""
    first_flow = 1 + sum(it.links for it in prepared.gathered)
    links = prepared.wishes.links
    for block, count in collective_tracks.events(_collectives(prepared), first_flow, links=links):
        prepared.counts.links += count
        yield block


def _parts(
    prepared: MergePlan,
    pool: Pool,
    form: Form,
    seen: Callable[[int], None],
    *,
    packed: bool,
) -> Iterator[GzipPart]:
    """What the workers write of each rank; it is there until the next is asked for."""
    tables = [it.collectives for it in prepared.gathered]
    selection = prepared.selection()
    files = [
        Files(it.file, spool, spool.with_suffix(".part"))
        for it, spool in zip(prepared.gathered, prepared.spools, strict=True)
    ]
    shared = matches_of_rank(prepared.alignment, tables, selection, links=prepared.wishes.links)
    flows = np.cumsum([1, *(it.links for it in prepared.gathered)]).tolist()
    calls = (
        partial(
            write,
            files[i],
            _placement(prepared, i, flows[i]),
            selection,
            shared[i],
            form,
            packed=packed,
        )
        for i in range(len(tables))
    )
    for it, lying in zip(pool.map_ordered(calls), files, strict=True):
        if it.part:
            yield it.part
        lying.part.unlink()
        prepared.written.append(it)
        _count(prepared.counts, it)
        seen(Path(lying.trace).stat().st_size)


def _collectives(prepared: MergePlan) -> list[Collective]:
    """Every matched collective within the window, once all ranks are written."""
    tables = [it.collectives for it in prepared.gathered]
    names = [it.rank for it in prepared.ranks]
    selection = prepared.selection()
    found = collectives(prepared.alignment, tables, names, prepared.written)
    return [it for it in found if _is_inside(it, selection, prepared.start_ns)]


def _collectives_part(prepared: MergePlan, between: Path, about: object) -> Iterator[bytes]:
    """The process of the collectives as packets, and what the output says about itself."""
    from tp_tools.merging import pftrace_fragment  # noqa: PLC0415  0.02 s, for this form alone
    from tp_tools.writing.pftrace.options import PftraceOptions  # noqa: PLC0415

    found = _collectives(prepared)
    if prepared.wishes.links:
        prepared.counts.links += sum(max(sum(p.shown for p in it.parts) - 1, 0) for it in found)
    slices = [block for block, _ in collective_tracks.events(found, 0, links=False)]
    trace = pftrace_fragment.written(slices, prepared.start_ns, between, {MERGED_KEY: about})
    plan = pftrace_fragment.nothing_to_do(trace)
    yield from pftrace_fragment.packets(
        between, trace, plan, PftraceOptions(number=len(prepared.ranks))
    )


def _placement(prepared: MergePlan, place: int, first_flow: int) -> RankPlacement:
    rank = prepared.ranks[place]
    return RankPlacement(
        rank=rank.rank,
        title=rank.title,
        position=place,
        clock=prepared.alignment.ranks[place].clock,
        base_ns=prepared.gathered[place].base_ns,
        start_ns=prepared.start_ns,
        first_flow=first_flow,
    )


def _count(counts: Counts, written: RankFragment) -> None:
    counts.events += written.events
    counts.slices += written.slices
    counts.flows += written.flows


def _is_inside(collective: Collective, selection: Selection, start_ns: int) -> bool:
    first, end = collective.first.ts + start_ns, collective.end + start_ns
    begun = selection.end_ns is None or first < selection.end_ns
    return begun and (selection.start_ns is None or end > selection.start_ns)
