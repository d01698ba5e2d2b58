"""Write the commands that open a trace at a place of the page: `tp-tools view FILE --at ...`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from tp_tools.reporting.commands import quoted

if TYPE_CHECKING:
    from tp_tools.reporting.data import Member, ReportData

Gpu: TypeAlias = "tuple[int | None, int | None]"
"""A rank and a device of it."""


@dataclass(frozen=True)
class Origin:
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
        timeline = data.results.get("gpu_timeline")
        if timeline is not None and timeline.rows:
            for rank, device, ts in data.rows("gpu_timeline", "rank", "device", "ts"):
                common.setdefault((rank, device), ts)
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

    def _member(self, rank: int | None) -> Member | None:
        return self._only or self._members.get(rank)

    def _origin(self, rank: int | None, offset_ns: int) -> Origin | None:
        """Add the start of the file, as the viewer shows it, to an offset."""
        member = self._member(rank)
        if member is None or member.info is None or member.info.inventory.start_ns is None:
            return None
        defects = member.info.defects
        rebased_ns = defects.rebase_ns if defects is not None else 0
        start_ns = member.info.inventory.start_ns - rebased_ns
        return Origin(quoted(member.file), offset_ns - start_ns)


_COLUMNS = ("rank", "device", "ts")
