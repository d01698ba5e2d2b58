"""Hold the strip of a page: a row per GPU, a byte per window and part."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Sequence

PARTS = (
    ("compute_ns", "compute", "var(--compute)"),
    ("hidden_ns", "compute that hides communication", "var(--hidden)"),
    ("communication_ns", "communication: on the wire", "var(--exposed)"),
    ("waiting_ns", "waiting for a rank", "var(--waiting)"),
    ("copy_ns", "copies alone", "var(--copies)"),
    ("idle_ns", "idle", "var(--idle)"),
)
"""The parts of a window: column of gpu_timeline, name and colour. Together they are all of it."""

_FULL = 255
"""A cell is a byte: this is a whole window."""


class Row(Struct, frozen=True):
    """A row of the strip.

    Attributes:
        name: name of its GPU.
        says: its parts in words.
        file: the file that shows it, quoted for a shell; empty if that is not known.
        offset_ns: time from the start of that file to the start of the strip, ns.
        cells: a byte per window and part.
    """

    name: str
    says: str
    file: str
    offset_ns: int
    cells: bytes


class Strip(Struct, frozen=True):
    """A strip.

    Attributes:
        windows: number of windows.
        span_ns: time of all windows, ns.
        parts: name and color of each part.
        legend: those of the parts that there are.
        rows: a row per GPU.
    """

    windows: int
    span_ns: int
    parts: Sequence[tuple[str, str]]
    legend: Sequence[tuple[str, str]]
    rows: Sequence[Row]

    def as_object(self) -> dict[str, Any]:
        """Return what the script of the page reads, but for the cells."""
        return {
            "windows": self.windows,
            "span": self.span_ns,
            "parts": [list(part) for part in self.parts],
            "rows": [[row.name, row.file, row.offset_ns] for row in self.rows],
        }

    @property
    def cells(self) -> bytes:
        """The cells of all rows, one row after the other."""
        return b"".join(row.cells for row in self.rows)


def cells(own: list[tuple[Any, ...]], count: int, window_ns: float) -> bytes:
    """Write the share of each part in each window as a byte; 0 stands for none at all."""
    cells = bytearray(count * len(PARTS))
    for window, _, _, *parts in own:
        for number, part_ns in enumerate(parts):
            if part_ns:
                share = max(1, min(_FULL, round(_FULL * part_ns / window_ns)))
                cells[window * len(PARTS) + number] = share
    return bytes(cells)
