"""Build the figure on stragglers: ranks that the others wait for, and the reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tp_tools.formatting import plural
from tp_tools.reporting.bars import ranked
from tp_tools.reporting.model import Figure
from tp_tools.reporting.tables import Column, Table

if TYPE_CHECKING:
    from tp_tools.reporting.data import ReportData
    from tp_tools.reporting.labels import Labels

_COLUMNS = (
    Column("label", "rank", "text"),
    Column("collectives", "shared collectives"),
    Column("uncertain", "left out: uncertain"),
    Column("times_last", "came last"),
    Column("caused_wait_us", "others waited for it", "us"),
    Column("wait_us", "it waited for others", "us"),
    Column("median_lateness_us", "usually late by", "us"),
    Column("late_work_us", "when last: more work", "us"),
    Column("late_gaps_us", "when last: more idle", "us"),
    Column("cause", "cause", "text"),
    Column("caused_by", "what ran longer, or started late", "name"),
    Column("caused_by_us", "by", "us"),
)


def figure(data: ReportData, labels: Labels) -> Figure:
    """Build the figure, or a sentence if no two ranks share a collective of certain match."""
    title = "Stragglers: whom the others wait for"
    keys = [column.key for column in _COLUMNS[1:]]
    rows = [
        (labels.rank(rank), *rest, kernel and labels.kernel(kernel), kernel_us)
        for rank, *rest, kernel, kernel_us in data.rows("stragglers", "rank", *keys)
    ]
    if not any(row[1] for row in rows):
        uncertain = max((row[2] for row in rows), default=0)
        reason = f" ({format_matches(uncertain)}: all uncertain)" if uncertain else ""
        text = f"no two ranks share a collective whose match is sure{reason}"
        return Figure("stragglers", title, text, queries=("stragglers",))
    bars = [
        (
            row[0],
            round(1000 * row[4]),
            "waits",
            f"{row[0]}: came last {row[3]:,} of {row[1]:,} times",
        )
        for row in rows
    ]
    return Figure(
        "stragglers",
        title,
        "The bar of a rank is what all others together waited for it, at collectives to which it "
        "came last; ranks that came last together share it. The table says what kept it then, "
        "against the rank in the middle: work, with the kernel that ran longer, or idle time, "
        "with the kernel that did not start. A cause explains at least 20 % of the lateness.",
        queries=("stragglers",),
        bars=ranked(bars, {"waits": ("others waited for it", "var(--exposed)")}),
        table=Table(_COLUMNS, rows, is_open=True),
        notes=caveats(data),
    )


def format_matches(count: int) -> str:
    """Write a number of matches: 1 match; 1,234 matches."""
    return "1 match" if count == 1 else f"{count:,} matches"


def caveats(data: ReportData) -> list[str]:
    """List the reasons for which lateness may be wrong: clocks, missing ranks."""
    sentences = []
    if unaligned := data.count_unaligned():
        sentences.append(
            f"The clocks of {plural(unaligned, 'rank')} are not set by collectives: lateness may "
            "be wrong by as much as these clocks differ."
        )
    if data.merge is not None and data.merge["missing_ranks"]:
        count = len(data.merge["missing_ranks"])
        sentences.append(f"{plural(count, 'rank')} without a trace may have come later still.")
    return sentences
