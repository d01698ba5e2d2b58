"""Draw the three pictures of the README from fixtures: what `fix`, `merge` and `diagnose` change.

    python -m tools.story

Writes docs/img/story-fix.svg, story-merge.svg and story-explain.svg: before on the left, after on
the right, every bar a slice or a number that tp-tools gave.
"""

from __future__ import annotations

import tempfile
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

import tp_tools
from fixtures import serving
from tp_tools.formatting import percent

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from perfetto.trace_processor import TraceProcessor

ROOT = Path(__file__).resolve().parents[1]
FIXTURE = ROOT / "fixtures" / "pdl_decode.json.gz"
IMAGES = ROOT / "docs" / "img"

PANEL, LABELS, GAP, ROW, BAR, TOP = 440, 144, 24, 26, 18, 32
"""Pixels: width of a panel, its labels and the gap between panels; height of row, bar, title."""

COLOURS = ("#4e79a7", "#76b7b2", "#59a14f", "#9c755f")
MARKED = "#e15759"

FIX_NS = (330_000, 560_000)
"""The window of the first picture, from the first kernel on."""

MERGE_NS = 260_000
"""The length of that of the second."""

_KERNELS = """
SELECT thread.name AS track, ts, dur, slice.name AS name
FROM slice
JOIN thread_track ON thread_track.id = slice.track_id
JOIN thread USING (utid)
WHERE category = 'kernel'
ORDER BY ts
"""
_RANKS = """
SELECT process.name AS track, ts, dur, slice.name AS name
FROM slice
JOIN thread_track ON thread_track.id = slice.track_id
JOIN thread USING (utid)
JOIN process USING (upid)
WHERE category = 'kernel'
ORDER BY ts
"""


@dataclass(frozen=True)
class Bar:
    """A bar of a panel.

    Attributes:
        row: the label of its row.
        start, length: in ns from the start of the panel.
        name: of its slice; equal names have one colour.
        is_marked: whether it is what the picture is about.
    """

    row: str
    start: int
    length: int
    name: str
    is_marked: bool = False


@dataclass(frozen=True)
class Panel:
    """One half of a picture.

    Attributes:
        title: stands above it.
        rows: labels of the rows, from top to bottom.
        bars: its bars.
        span: ns from its left to its right.
    """

    title: str
    rows: Sequence[str]
    bars: Sequence[Bar]
    span: int


def picture(panels: Sequence[Panel]) -> str:
    """Draw panels side by side; bars that reach beyond a panel are cut."""
    height = TOP + ROW * max(len(it.rows) for it in panels) + 10
    width = len(panels) * (PANEL + GAP) - GAP
    drawn = "".join(
        f'<g transform="translate({at * (PANEL + GAP)} 0)">{"".join(_panel(it))}</g>'
        for at, it in enumerate(panels)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">'
        f'<rect width="100%" height="100%" fill="#ffffff"/>{drawn}</svg>\n'
    )


def _panel(panel: Panel) -> Iterable[str]:
    yield f'<text x="0" y="18" font-size="14" font-weight="bold">{escape(panel.title)}</text>'
    scale = (PANEL - LABELS) / panel.span
    for at, row in enumerate(panel.rows):
        y = TOP + at * ROW
        yield f'<text x="0" y="{y + 13}">{escape(row)}</text>'
        yield f'<path d="M{LABELS} {y + BAR + 3}H{PANEL}" stroke="#dddddd"/>'
    for bar in panel.bars:
        start, end = max(bar.start, 0), min(bar.start + bar.length, panel.span)
        if end <= start or bar.row not in panel.rows:
            continue
        colour = MARKED if bar.is_marked else COLOURS[sum(map(ord, bar.name)) % len(COLOURS)]
        y = TOP + panel.rows.index(bar.row) * ROW
        yield (
            f'<rect x="{LABELS + start * scale:.1f}" y="{y}" '
            f'width="{max((end - start) * scale - 0.5, 0.5):.1f}" height="{BAR}" fill="{colour}"/>'
        )


def _bars(tp: TraceProcessor, sql: str, marked: str) -> list[Bar]:
    rows = [(it.track.strip(), it.ts, it.dur, it.name) for it in tp.query(sql)]
    first = min(ts for _, ts, _, _ in rows)
    return [Bar(track, ts - first, dur, name, marked in name) for track, ts, dur, name in rows]


def fix_picture() -> str:
    """Draw the kernels of a decode step as Perfetto v52 shows them, raw and repaired."""
    begin, end = FIX_NS
    with tp_tools.open_trace(FIXTURE, raw=True) as tp:
        raw = _bars(tp, _KERNELS, "none is marked")
    with tp_tools.open_trace(FIXTURE) as tp:
        repaired = _bars(tp, _KERNELS, "none is marked")
    seen = {(it.start, it.name) for it in raw}
    panels = []
    for bars, title in (
        (raw, "As recorded, in Perfetto v51 to v56"),
        (repaired, "After tp-tools fix, in any"),
    ):
        shown = [
            replace(it, start=it.start - begin, is_marked=(it.start, it.name) not in seen)
            for it in bars
        ]
        panels.append(Panel(title, ["stream 7", "stream 7 (2)", "stream 20"], shown, end - begin))
    return picture(panels)


def merge_picture(folder: Path) -> str:
    """Draw the all-reduces of eight ranks, by the clocks of the ranks and by a common one."""
    with tp_tools.open_job(folder, align="none") as tp:
        raw = _bars(tp, _RANKS, "AllReduce")
    with tp_tools.open_job(folder) as tp:
        merged = _bars(tp, _RANKS, "AllReduce")
    panels = []
    for bars, title in ((raw, "Each rank by its own clock"), (merged, "After tp-tools merge")):
        names = sorted({it.row for it in bars})
        named = {name: f"rank {at}" for at, name in enumerate(names)}
        shown = [replace(it, row=named[it.row]) for it in bars]
        panels.append(Panel(title, list(named.values()), shown, MERGE_NS))
    return picture(panels)


def explain_picture(folder: Path) -> str:
    """Draw one rank, and what `diagnose` says of all: parts of the GPU time, and findings."""
    found = tp_tools.diagnose(folder)
    with tp_tools.open_trace(min(folder.iterdir())) as tp:
        bars = _bars(tp, _KERNELS, "AllReduce")
    whole = found.gpu_ns
    parts = [(name, ns) for name, ns in found.parts.items() if ns]
    left = Panel(
        "Rank 0: where does the time go?",
        ["stream 7", "stream 7 (2)", "stream 20"],
        bars,
        MERGE_NS * 3,
    )
    right = Panel(
        f"tp-tools diagnose: {found.findings[0].title}",
        [f"{name} {percent(ns / whole)}" for name, ns in parts],
        [
            Bar(f"{name} {percent(ns / whole)}", 0, ns, "", is_marked=name == "waiting")
            for name, ns in parts
        ],
        whole,
    )
    return picture([left, right])


def main() -> None:
    """Write the pictures."""
    warnings.simplefilter("ignore", tp_tools.LossWarning)  # what is lost is the picture
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "traces")
        serving.write(serving.Run(slowness=1.5), folder)
        made = {
            "fix": fix_picture(),
            "merge": merge_picture(folder),
            "explain": explain_picture(folder),
        }
    for what, text in made.items():
        (IMAGES / f"story-{what}.svg").write_text(text, "utf-8")


if __name__ == "__main__":
    main()
