"""Write the commands that open a trace at a place of the page: `tp-tools view FILE --at ...`."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct

from tp_tools.reporting.commands import quoted

if TYPE_CHECKING:
    from tp_tools.reporting.data import Member, ReportData

Gpu: TypeAlias = "tuple[int | None, int | None]"
"""A rank and a device of it."""


class Origin(Struct, frozen=True):
    """How times of all ranks become times of a file, near the work of a GPU.

    Attributes:
        file: name of the file that holds the GPU, quoted for a shell.
        offset_ns: add it to a time on the clock of all ranks to get the time since the start of the
            file, as its timeline shows it. Drift is not in it: 10 us in a second are usual.
    """

    file: str
    offset_ns: int


class Places:
    """The places of a report's traces."""

    def __init__(self, data: ReportData) -> None:
        self._members = {member.rank: member for member in data.members}
        self._only = data.members[0] if len(data.members) == 1 else None
        common: dict[Gpu, int] = {}
        self._ranges: dict[Gpu, tuple[int, int]] = {}
        timeline = data.results.get("gpu_timeline")
        if timeline is not None and timeline.rows:
            for rank, device, ts in data.rows("gpu_timeline", "rank", "device", "ts"):
                first_ns = common.setdefault((rank, device), ts)
                self._ranges[rank, device] = (first_ns, ts)
        own = {(rank, device): ts for rank, device, ts in data.rows("gpu_time", *_COLUMNS)}
        self._origins = {
            gpu: origin
            for gpu, ts in common.items()
            if gpu in own and (origin := self._origin(gpu[0], own[gpu] - ts))
        }

    def origin(self, rank: int | None, device: int | None) -> Origin | None:
        """Return where times of a GPU are in its file; None if that is not known."""
        return self._origins.get((rank, device))

    def at_slice(self, rank: int | None, slice_id: int | None) -> str | None:
        """Return the command that shows a slice; None if it is not known.

        Args:
            rank: the rank whose file holds it.
            slice_id: its id in the viewer.
        """
        member = self._member(rank)
        if member is None or slice_id is None:
            return None
        return f"tp-tools view {quoted(member.file)} --at {slice_id}"

    def at_time(self, rank: int | None, device: int | None, time_ns: int) -> str | None:
        """Return the command that shows a time on the clock of all ranks; None if not known."""
        origin = self.origin(rank, device)
        if origin is None or time_ns + origin.offset_ns < 0:
            return None
        return f"tp-tools view {origin.file} --at {(time_ns + origin.offset_ns) / 1e6:.3f}ms"

    def at(self, rank: int | None, time_ns: int) -> str | None:
        """Return the command that shows a time of a rank, on its own clock or on that of all.

        Args:
            rank: the rank.
            time_ns: the time. It is on the clock whose range of times holds it.

        Returns:
            The command; None where the time is on neither, or on both and not the same there.
        """
        common = {
            self.at_time(*gpu, time_ns)
            for gpu, (first_ns, last_ns) in self._ranges.items()
            if gpu[0] == rank and first_ns <= time_ns <= last_ns
        }
        found = {*common, self._at_own(rank, time_ns)} - {None}
        return found.pop() if len(found) == 1 else None

    def _at_own(self, rank: int | None, time_ns: int) -> str | None:
        member = self._member(rank)
        extent = member and _extent(member)
        if not member or not extent or not extent[0] <= time_ns <= extent[1]:
            return None
        return f"tp-tools view {quoted(member.file)} --at {(time_ns - extent[0]) / 1e6:.3f}ms"

    def _member(self, rank: int | None) -> Member | None:
        return self._only or self._members.get(rank)

    def _origin(self, rank: int | None, offset_ns: int) -> Origin | None:
        """Add the start of the file, as the viewer shows it, to an offset."""
        member = self._member(rank)
        extent = member and _extent(member)
        if not member or not extent:
            return None
        return Origin(quoted(member.file), offset_ns - extent[0])


def _extent(member: Member) -> tuple[int, int] | None:
    """Return start and end of a file as the viewer shows it, ns; None if they are not known."""
    if member.info is None:
        return None
    start_ns, end_ns = member.info.inventory.start_ns, member.info.inventory.end_ns
    if start_ns is None or end_ns is None:
        return None
    rebased_ns = member.info.defects.rebase_ns if member.info.defects is not None else 0
    return start_ns - rebased_ns, end_ns - rebased_ns


_COLUMNS = ("rank", "device", "ts")
