"""Text of digits stands for a number."""

from __future__ import annotations

import pytest

from tp_tools.chrome.digits import MOST_DIGITS, number

LONGEST = "9" * MOST_DIGITS


@pytest.mark.parametrize(("text", "value"), [("0", 0), ("007", 7), (LONGEST, 10**MOST_DIGITS - 1)])
def test_digits_are_a_number(text: str, value: int) -> None:
    """As many as Perfetto reads, with zeros before them or without."""
    assert number(text) == value


@pytest.mark.parametrize(
    "value", ["", "-1", "1.5", "r0", "٣", LONGEST + "9", "9" * 5000, 7, None, True]
)
def test_anything_else_stays(value: object) -> None:
    """Other text, more digits than Perfetto reads, and what is no text."""
    assert number(value) is value
