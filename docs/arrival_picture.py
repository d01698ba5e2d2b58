"""Draws the picture of `docs/collectives.md`: `python -m docs.arrival_picture`, from the root.

Runs the library's own SQL on a small job of two ranks, and draws its rows.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from tp_tools import engine, library

TARGET = Path(__file__).parent / "img" / "arrival.svg"
REDUCE = "ncclDevKernel_AllReduce_Sum_bf16_RING_LL"
LABEL, ACROSS, ROW, TOP = 110, 12, 34, 26
"""Pixels: width of the labels, per us, height of a row, above the first row."""

WIDTH, HEIGHT = LABEL + 54 * ACROSS, TOP + 4 * ROW + 50
GEMM, WAITING, TRANSFER, EARLY, TEXT = "#9db8d9", "#f2d9a6", "#7fb77e", "#e8e8e8", "#333333"


@dataclass(frozen=True)
class Kernel:
    """A kernel of the example: its rank, its name, and start and end in us."""

    rank: int
    name: str
    ts: int
    end: int
    lane: int = 0


JOB = (
    Kernel(0, "gemm", 2, 30),
    Kernel(0, REDUCE, 12, 50, lane=1),
    Kernel(1, "gemm", 2, 18),
    Kernel(1, REDUCE, 20, 50),
)
"""Rank 0 starts its all-reduce first, under PDL, while its gemm still runs."""


def trace() -> bytes:
    """The job as a merge that `tp-tools` repaired."""
    events: list[dict[str, Any]] = []
    for it in JOB:
        pid = it.rank + 1
        name = {"name": f"rank {it.rank} GPU {it.rank}"}
        args = {"device": it.rank, "stream": 7, "tpt_tid": 7}
        events += [
            {"ph": "M", "name": "process_name", "pid": pid, "tid": 0, "args": name},
            {
                "ph": "X",
                "cat": "kernel",
                "name": it.name,
                "pid": pid,
                "tid": 7 + it.lane,
                "ts": it.ts,
                "dur": it.end - it.ts,
                "args": args,
            },
        ]
    return json.dumps({"traceEvents": events}).encode()


def answers() -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """What SQL says: each rank in the all-reduce, and the whole."""
    found = []
    with engine.load([trace()], source="the example") as tp:
        for query in ("collectives_by_rank", "allreduce"):
            answer = engine.run_file(tp, library.find(query))
            found.append([dict(zip(answer.columns, row, strict=True)) for row in answer.rows])
    return found[0], found[1][0]


def x(ns: int) -> float:
    """Where a time is drawn."""
    return LABEL + ns / 1000 * ACROSS


def box(ts: int, end: int, row: int, color: str, text: str) -> str:
    """A bar from `ts` to `end` ns with its name; nothing where it takes no time."""
    if end == ts:
        return ""
    y = TOP + row * ROW
    bar = f'<rect x="{x(ts)}" y="{y}" width="{x(end) - x(ts)}" height="{ROW - 8}" fill="{color}"/>'
    return bar + label(x(ts) + 5, y + 18, text)


def label(at: float, y: float, text: str) -> str:
    """A line of text."""
    return f'<text x="{at}" y="{y}" fill="{TEXT}">{escape(text)}</text>'


def mark(ns: int, row: int, rows: int, text: str) -> str:
    """A vertical line over some rows, with a caption above."""
    top, bottom = TOP + row * ROW - 4, TOP + (row + rows) * ROW - 4
    line = f'<line x1="{x(ns)}" x2="{x(ns)}" y1="{top}" y2="{bottom}" stroke="#c0392b"/>'
    return line + label(x(ns) + 3, top - 3, text)


def drawn() -> str:
    """The picture."""
    parts, whole = answers()
    last, end = whole["last_arrival"], whole["window_end"]
    names = {0: "rank 0, stream 7", 1: "stream 7 (2)", 3: "rank 1, stream 7"}
    shapes = [label(4, TOP + row * ROW + 18, name) for row, name in names.items()]
    for part, first in zip(parts, (0, 3), strict=True):
        gemm = next(it for it in JOB if it.rank == part["rank"] and it.name == "gemm")
        row = first + part["is_pdl_start"]
        shapes += [
            box(gemm.ts * 1000, gemm.end * 1000, first, GEMM, "gemm"),
            box(part["ts"], part["arrival"], row, EARLY, "started early"),
            box(part["arrival"], last, row, WAITING, f"waits {part['wait_us']:g} us"),
            box(last, end, row, TRANSFER, f"all-reduce, transfer {whole['transfer_us']:g} us"),
            mark(part["arrival"], first, row - first + 1, f"rank {part['rank']} arrives"),
        ]
    y = TOP + 4 * ROW + 34
    said = (
        f"skew {whole['skew_us']:g} us, straggler rank {whole['straggler']}, "
        f"wait {whole['wait_us']:g} us. By recorded starts alone it would be rank 1, 8 us late."
    )
    shapes.append(label(4, y, said))
    style = 'font-family="sans-serif" font-size="13"'
    background = f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>'
    body = "\n".join([background, *shapes])
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" {style}>\n'
        f"{body}\n</svg>\n"
    )


def main() -> None:
    """Write docs/img/arrival.svg."""
    TARGET.write_text(drawn(), "utf-8")


if __name__ == "__main__":
    main()
