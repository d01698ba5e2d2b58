"""Read whole numbers that profilers write as text."""

from __future__ import annotations

from typing import Any

MOST_DIGITS = 18
"""Digits of a number that Perfetto reads."""


def is_digits(value: object) -> bool:
    """Tell whether a value is text of digits that stand for a number."""
    return type(value) is str and value.isascii() and value.isdigit() and len(value) <= MOST_DIGITS


def number(value: Any) -> Any:  # noqa: ANN401  a value of JSON
    """Return the number that text of digits stands for; any other value as it is."""
    return int(value) if is_digits(value) else value
