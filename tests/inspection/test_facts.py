"""What is in a trace is said in lines that are true, also where there is much or nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.handmade import kernel, source_of, text, x
from tp_tools.inspection import facts, trace_info
from tp_tools.querying.trace_loader import LoadOptions

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.handmade import Event


def said(folder: Path, *events: Event, **top: Any) -> list[str]:  # noqa: ANN401
    """The lines about a trace of these events, with single spaces."""
    seen = trace_info.describe(source_of(text(events, **top), folder), LoadOptions())
    return [" ".join(line.split()) for line in facts.lines(seen)]


def test_of_many_streams_the_first_are_shown(tmp_path: Path) -> None:
    """A trace with forty streams does not fill the screen."""
    lines = said(tmp_path, *(kernel("k", 0, 9, tid, tid=tid) for tid in range(1, 41)))
    assert "GPU 0 stream 24 1 9 ns 100.0 %" in lines
    assert "and 16 more" in lines


def test_long_names_are_shortened(tmp_path: Path) -> None:
    """A category of a hundred letters leaves room for its numbers."""
    lines = said(tmp_path, x("k", 0, 9, cat="a" * 100))
    assert "aaaaaaaaaaaaaaaaaaaaaa...aaaaaaaaaaaaaaaaaaaaaaa 1 1 9 ns" in lines


def test_why_fix_would_refuse(tmp_path: Path) -> None:
    """Times that span more than Perfetto holds are said to be beyond repair."""
    lines = said(tmp_path, kernel("a", 0, 9, 1), kernel("b", 5 * 10**18 + 1, 5 * 10**18 + 9, 2))
    assert any(line.startswith("`tp-tools fix` cannot repair it: its times span") for line in lines)


@pytest.mark.parametrize(
    ("base", "start", "utc"),
    [
        (None, 5_000_000_000, None),
        (0, 1_700_000_000_123_000_000, "2023-11-14 22:13:20.123 UTC"),
        (None, 1_700_000_000_123_000_000, "2023-11-14 22:13:20.123 UTC"),
        (1_700_000_000_000_000_000, 123_456_789, "2023-11-14 22:13:20.123 UTC"),
        (9 * 10**30, 0, None),
    ],
)
def test_when_it_was(tmp_path: Path, base: int | None, start: int, utc: str | None) -> None:
    """The first event's time of day is told where the trace has a base, or times since 1970."""
    top = {} if base is None else {"baseTimeNanoseconds": base}
    (line,) = [it for it in said(tmp_path, x("k", start, start + 9), **top) if it[:4] == "Span"]
    assert line == ("Span 9 ns" if utc is None else f"Span 9 ns from {utc}")


def test_one_is_no_plural(tmp_path: Path) -> None:
    """One hidden kernel is one."""
    lines = said(tmp_path, kernel("a", 0, 50_000, 1), kernel("b", 25_000, 75_000, 2))
    assert "1 slice without room on their row" in lines
    assert "1 kernel that Perfetto v51-56 hides, 50.000 us, 50.0 % of kernel time" in lines
