"""Choose the rows that carry a finding."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tp_tools.diagnosis.model import Evidence

if TYPE_CHECKING:
    from tp_tools.diagnosis.numbers import Numbers, Row


def some(row: Row, columns: tuple[str, ...]) -> Row:
    """Return some columns of a row."""
    return {key: row[key] for key in columns}


def part_evidence(numbers: Numbers, part: str) -> Evidence:
    """Return the row of `verdict` with most of one of `numbers.PARTS`."""
    column = f"{part}_ns"
    row = max(numbers.devices, key=lambda row: row[column])
    shown = some(row, ("rank", "device", "part", "dur", column))
    others = len(numbers.devices) - 1
    return Evidence("verdict", shown, others, numbers.part(part) - row[column])
