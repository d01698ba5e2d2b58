"""The lines about a trace are true, also for traces with many streams or no times."""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.handmade import kernel, source_of, text, x
from tp_tools.inspection import facts, trace_info
from tp_tools.querying.trace_loader import LoadOptions

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.handmade import Event


def lines_of(folder: Path, *events: Event, **top: Any) -> list[str]:  # noqa: ANN401
    """Describe a trace of these events; return its lines with single spaces."""
    info = trace_info.describe(source_of(text(events, **top), folder), LoadOptions())
    return [" ".join(line.split()) for line in facts.lines(info)]


def test_many_streams_are_cut_and_counted(tmp_path: Path) -> None:
    """Of forty streams 24 are listed, and the last line counts the others."""
    lines = lines_of(tmp_path, *(kernel("k", 0, 9, tid, tid=tid) for tid in range(1, 41)))
    assert "GPU 0 stream 24 1 9 ns 100.0 %" in lines
    assert "and 16 more" in lines


def test_long_names_are_shortened(tmp_path: Path) -> None:
    """A category name of a hundred letters is shortened in its middle."""
    lines = lines_of(tmp_path, x("k", 0, 9, cat="a" * 100))
    assert "aaaaaaaaaaaaaaaaaaaaaa...aaaaaaaaaaaaaaaaaaaaaaa 1 1 9 ns" in lines


def test_a_notebook_shows_what_the_command_says(tmp_path: Path) -> None:
    """Every cell of the tables, the facts and the verdict stand in the HTML; names are text."""
    events = kernel("k", 0, 9, 1, tid=7), kernel("<b>", 4, 12, 2, tid=7), x("c", 0, 9, cat="<i>")
    info = trace_info.describe(source_of(text(events), tmp_path), LoadOptions())
    html = facts.TraceInfos([info, info])._repr_html_()
    assert html == 2 * info._repr_html_()
    assert "<i>" not in html
    assert '<td style="text-align:right">1</td>' in html
    shown = re.sub(r"\s+", " ", re.sub(r"</?(p|table|thead|tbody|tr|th|td)\b[^>]*>", " ", html))
    for line in facts.lines(info):
        assert escape(" ".join(line.split())) in shown


def test_a_trace_that_fix_refuses(tmp_path: Path) -> None:
    """Times that span more than Perfetto holds are reported as not repairable."""
    lines = lines_of(
        tmp_path, kernel("a", 1_000, 1_009, 1), kernel("b", 5 * 10**18 + 1, 5 * 10**18 + 9, 2)
    )
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
def test_the_time_of_the_first_event(
    tmp_path: Path, base: int | None, start: int, utc: str | None
) -> None:
    """The span names a date if the trace has a base time, or times since 1970."""
    top = {} if base is None else {"baseTimeNanoseconds": base}
    (line,) = [
        line for line in lines_of(tmp_path, x("k", start, start + 9), **top) if line[:4] == "Span"
    ]
    assert line == ("Span 9 ns" if utc is None else f"Span 9 ns from {utc}")


def test_a_count_of_one_is_singular(tmp_path: Path) -> None:
    """One slice and one kernel have no plural s."""
    lines = lines_of(tmp_path, kernel("a", 0, 50_000, 1), kernel("b", 25_000, 75_000, 2))
    assert "1 overlapping slice" in lines
    assert "1 kernel that Perfetto v51-56 hides, 50.000 us, 50.0 % of kernel time" in lines
