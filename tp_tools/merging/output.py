"""Write the merged trace: the ranks one after the other, then the collectives that join them."""

from __future__ import annotations

from functools import partial
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct, field
from msgspec.structs import replace

from tp_tools.chrome.metadata import MERGED_KEY
from tp_tools.chrome.sanitize import encoded
from tp_tools.files.gzip_parts import Deflated, gzip, text
from tp_tools.merging import collective_tracks, json_fragment
from tp_tools.merging.matched import matches_of_rank, shown_collectives
from tp_tools.merging.placement import RANK_IDS, RankPlacement
from tp_tools.merging.write_rank import write
from tp_tools.processes.worker import FileCall
from tp_tools.progress import SILENT
from tp_tools.writing import check_events

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tp_tools.files.gzip_parts import GzipPart
    from tp_tools.merging.preparation import MergePlan
    from tp_tools.merging.selection import Selection
    from tp_tools.merging.write_rank import Form, RankFragment
    from tp_tools.processes import Pool
    from tp_tools.progress import Reporter


_HOSTS = RANK_IDS - 1
"""The process whose threads are called as the machines of ranks, below the ids of all ranks."""


class Counts(Struct):
    """Numbers of what was written.

    Attributes:
        events, slices, flows: those of ranks.
        links: flows between ranks.
        short_names: kernels that got a short name.
    """

    events: int = 0
    slices: int = 0
    flows: int = 0
    links: int = 0
    short_names: int = 0

    def add(self, events: int, slices: int, flows: int, short_names: int) -> None:
        """Add the numbers of a rank."""
        self.events += events
        self.slices += slices
        self.flows += flows
        self.short_names += short_names


def blocks(
    plan: MergePlan,
    pool: Pool,
    header: object,
    form: Form = "json",
    reporter: Reporter = SILENT,
    *,
    counts: Counts | None = None,
    packed: bool = False,
    selection: Selection | None = None,
    keeps_inputs: bool = False,
) -> Iterator[bytes]:
    """Write the merged trace, block by block.

    Args:
        plan: the ranks, read and aligned.
        pool: processes that write the ranks.
        header: the object about the merge that the output holds.
        form: the format of the output.
        reporter: receives the size of each input in bytes once the rank was written.
        counts: numbers of events that grow while blocks are taken; None if nobody reads them.
        packed: whether the workers compress the output, as gzip.
        selection: the events to write; None for what the options of the plan say.
        keeps_inputs: whether the files are read again later, as for `FileCall`.

    Raises:
        InputError: a file changed since it was read, or a rank has too many ids.
    """
    writer = _MergeWriter(
        plan,
        pool,
        reporter,
        selection or plan.selection(),
        keeps_inputs,
        header,
        form,
        packed,
        counts or Counts(),
    )
    fragments = writer.packets() if form == "pftrace" else chain.from_iterable(writer.sections())
    yield from gzip(fragments) if packed else text(fragments)


def sections(
    plan: MergePlan,
    pool: Pool,
    reporter: Reporter,
    selection: Selection | None,
    *,
    keeps_inputs: bool,
) -> Iterator[Iterator[bytes]]:
    """Write the merged trace as Chrome JSON without a header, section by section.

    The first, any other and the last together are a trace: of a rank, or, of the last but one, of
    the collectives. All of a section has to be taken before the next.

    Args:
        plan: the ranks, read and aligned.
        pool: processes that write the ranks.
        reporter: receives the size of each input in bytes once the rank was written.
        selection: as for `blocks`.
        keeps_inputs: as for `blocks`.

    Raises:
        InputError: as `blocks`.
    """
    writer = _MergeWriter(plan, pool, reporter, selection or plan.selection(), keeps_inputs)
    return map(text, writer.sections())


class _MergeWriter(Struct, eq=False):
    """Writes one merge; see `blocks`."""

    plan: MergePlan
    pool: Pool
    reporter: Reporter
    selection: Selection
    keeps_inputs: bool
    header: object = field(default_factory=dict)
    form: Form = "json"
    packed: bool = False
    counts: Counts = field(default_factory=Counts)

    def packets(self) -> Iterator[GzipPart]:
        """Write the merge as packets of a .pftrace."""
        written: list[RankFragment] = []
        yield from self._ranks(written)
        yield from self._collective_packets(written)

    def sections(self) -> Iterator[Iterator[GzipPart]]:
        """Write the merge as Chrome JSON: what stands before the ranks, each, and what behind."""
        header = b'"%b":%b' % (MERGED_KEY.encode(), encoded(self.header))
        check_events([b"{%b}" % header])
        hosts = b"".join(json_fragment.without_last_comma(self._host_events()))
        yield iter(
            (
                b'{"schemaVersion":1,"displayTimeUnit":"ns","baseTimeNanoseconds":%d,\n%b,\n'
                % (self.plan.start_ns, header),
                b'"traceEvents":[\n',
                hosts,
            )
        )
        separator = b",\n" if hosts else b""
        written: list[RankFragment] = []
        for fragment in self._ranks(written):
            yield iter((separator, fragment))
            separator = b",\n"
        yield self._separated(separator, self._collective_events(written))
        yield iter((b"\n]}\n",))

    @staticmethod
    def _separated(separator: bytes, events: Iterator[bytes]) -> Iterator[GzipPart]:
        """Put the separator before the first event."""
        for block in json_fragment.without_last_comma(events):
            yield separator if block else b""
            yield block
            separator = b"" if block else separator

    def _host_events(self) -> Iterator[bytes]:
        """Write the machine of each rank as a thread's name, as `tpt.rank_host` reads it."""
        plan = self.plan
        if not plan.options.names_hosts:
            return
        yield json_fragment.metadata("process_name", _HOSTS, _HOSTS, {"name": "machines of ranks"})
        for rank, read in zip(plan.ranks, plan.summaries, strict=True):
            if read.host:
                name = {"name": read.host}
                yield json_fragment.metadata("thread_name", _HOSTS, rank.rank + 1, name)

    def _ranks(self, written: list[RankFragment]) -> Iterator[GzipPart]:
        """Have the workers write each rank; append its description to `written`.

        A fragment's file exists until the next fragment is taken.
        """
        plan = self.plan
        tables = [summary.collectives for summary in plan.summaries]
        selection = self.selection
        parts = [spool.with_suffix(".part") for spool in plan.spools]
        matches = matches_of_rank(plan.alignment, tables, selection, links=plan.options.links)
        numbers = first_flows(plan)
        calls = (
            FileCall(
                partial(
                    write,
                    placement=placement_of(plan, i, numbers[i]),
                    selection=selection,
                    matches=matches[i],
                    form=self.form,
                    packed=self.packed,
                ),
                reads=(plan.spools[i],),
                returns=(parts[i],),
                inputs=(plan.summaries[i].file,),
                keeps_inputs=self.keeps_inputs,
            )
            for i in range(len(tables))
        )
        columns = (self.pool.map_ordered(calls), parts, plan.summaries)
        for fragment, part, summary in zip(*columns, strict=True):
            if fragment.block:
                yield _in_file(fragment.block, part)
            part.unlink()
            written.append(fragment)
            self.counts.add(fragment.events, fragment.slices, fragment.flows, fragment.short_names)
            self.reporter.advance(summary.file_bytes)

    def _collective_events(self, written: list[RankFragment]) -> Iterator[bytes]:
        """Write the collectives as JSON events, each followed by a comma."""
        plan = self.plan
        first_flow = 1 + sum(summary.links for summary in plan.summaries)
        shown = shown_collectives(plan, written, self.selection)
        for block, count in collective_tracks.events(shown, first_flow, links=plan.options.links):
            self.counts.links += count
            check_events([block.removesuffix(b",\n")])
            yield block

    def _collective_packets(self, written: list[RankFragment]) -> Iterator[bytes]:
        """Write the process of the collectives and the header as packets.

        Args:
            written: the ranks, all of them written.
        """
        from tp_tools.merging import pftrace_fragment  # noqa: PLC0415  0.02 s, for this form alone
        from tp_tools.writing import PftraceOptions  # noqa: PLC0415

        plan = self.plan
        shown = shown_collectives(plan, written, self.selection)
        if plan.options.links:
            self.counts.links += sum(
                max(sum(kernel.is_written for kernel in collective.kernels) - 1, 0)
                for collective in shown
            )
        slices = (block for block, _ in collective_tracks.events(shown, 0, links=False))
        options = PftraceOptions(number=len(plan.ranks))
        members = {MERGED_KEY: self.header}
        yield from pftrace_fragment.packets(slices, plan.start_ns, options, members)


def _in_file(block: Path | Deflated, part: Path) -> Path | Deflated:
    """Return a block with the file that it is in here: another machine may have written it."""
    return replace(block, data=part) if isinstance(block, Deflated) else part


def first_flows(plan: MergePlan) -> list[int]:
    """Return the first number of the flows of each rank."""
    numbers: list[int] = np.cumsum([1, *(it.links for it in plan.summaries)]).tolist()
    return numbers


def placement_of(plan: MergePlan, index: int, first_flow: int) -> RankPlacement:
    """Describe where the rank of this index stands in the merged trace."""
    rank = plan.ranks[index]
    return RankPlacement(
        rank=rank.rank,
        title=rank.title,
        position=index,
        clock=plan.alignment.ranks[index].clock,
        base_ns=plan.summaries[index].base_ns,
        start_ns=plan.start_ns,
        first_flow=first_flow,
    )
