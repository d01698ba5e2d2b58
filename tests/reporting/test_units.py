"""Numbers have three digits, rates a prefix."""

from __future__ import annotations

from tp_tools.reporting.units import count, rate, three_digits


def test_rates_have_a_prefix_that_fits() -> None:
    """From 1 to 1e12 per second; below 1 there is none."""
    assert rate(2.5e12, "FLOP/s") == "2.50 TFLOP/s"
    assert rate(999.4, "B/s") == "999 B/s"
    assert rate(0.25, "B/s") == "0.250 B/s"


def test_counts_and_means() -> None:
    """What is counted is written whole, what is a mean with three digits."""
    assert [count(1234), count(0.123456), count(1234.5)] == ["1,234", "0.123", "1,234"]
    assert three_digits(0) == "0"
