"""Compare the SQL library with its peers, number by number, on the same traces.

    python -m venv hta && hta/bin/pip install HolisticTraceAnalysis 'pandas<3'
    python -m venv plugin && plugin/bin/pip install torch-tb-profiler 'pandas<3'
    python -m venv lens && lens/bin/pip install ./TraceLens    # a clone of AMD-AGI/TraceLens
    python -m benchmarks.against hta hta/bin/python TRACE.json.gz...
    python -m benchmarks.against plugin plugin/bin/python TRACE.json.gz...
    python -m benchmarks.against tracelens lens/bin/python TRACE.json.gz... --write docs/sql.md

A peer runs in its own Python, tp-tools in this one. Numbers agree if they are the same to five
digits, for peers add doubles. Prints Markdown: how often each number agrees, and each difference
with its reason, from `against_reasons`; exits with 1 where a difference has none.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.against_ours import OURS
from benchmarks.against_reasons import UNEXPLAINED, reason

if TYPE_CHECKING:
    from collections.abc import Iterator

Answers = dict[str, Any]
TITLES = {"hta": "HTA", "tracelens": "TraceLens", "plugin": "plugin"}
SAME_CALLS = "GPU time of an op, us"
"""Where this differs, sides have different calls of an op in mind, and the rest is not compared."""

_MOST = 3
_LONGEST = 40


@dataclass(frozen=True)
class Pair:
    """A number of a peer and that of tp-tools.

    Attributes:
        trace: name of the trace, without suffix.
        label: what the number is.
        name: of a kernel or an op; empty for numbers of the whole trace.
        theirs: the peer's; None if it has none.
        ours: that of tp-tools; None likewise.
    """

    trace: str
    label: str
    name: str
    theirs: float | None
    ours: float | None

    @property
    def agrees(self) -> bool:
        """Whether both are the same to five digits, or to 5 ns where they are us."""
        if self.theirs is None or self.ours is None:
            return self.theirs is self.ours
        return math.isclose(self.theirs, self.ours, rel_tol=1e-5, abs_tol=5e-3)


def ask(peer: str, python: str, trace: Path) -> Answers:
    """Return the peer's answers; none but `error` if it fails on the trace."""
    side = Path(__file__).with_name(f"{peer}_side.py")
    done = subprocess.run([python, side, trace], capture_output=True, text=True, check=False)
    if done.returncode:
        return {"error": (done.stderr.strip().splitlines() or ["no message"])[-1]}
    answers: Answers = json.loads(done.stdout[done.stdout.index("{") :])
    return answers


def pairs(trace: str, theirs: Answers, ours: Answers) -> Iterator[Pair]:
    """Yield each number that either side has."""
    for label in theirs["numbers"].keys() | ours["numbers"].keys():
        yield Pair(trace, label, "", theirs["numbers"].get(label), ours["numbers"].get(label))
    those, own = theirs["by name"], ours["by name"]
    apart = set[str]()
    for label in own:
        values, mine = those.get(label, {}), own[label]
        for name in (values.keys() | mine.keys()) - apart:
            pair = Pair(trace, label, name, values.get(name), mine.get(name))
            yield pair
            if label == SAME_CALLS and not pair.agrees:
                apart.add(name)


def tables(peer: str, found: list[Pair], failed: dict[str, list[str]]) -> Iterator[str]:
    """Yield the lines of the tables on a peer."""
    yield "| number | the same |"
    yield "|---|---|"
    for label in sorted({pair.label for pair in found}):
        both = [it for it in found if it.label == label and None not in {it.theirs, it.ours}]
        names = (
            f" names on {_count({it.trace for it in both})}" if any(it.name for it in both) else ""
        )
        yield f"| {label} | {sum(it.agrees for it in both)} of {len(both)}{names or ' traces'} |"
    yield ""
    yield f"| what differs | where | for example | {TITLES[peer]} | tp-tools | why |"
    yield "|---|---|---|---|---|---|"
    by_reason: dict[str, list[Pair]] = defaultdict(list)
    for pair in found:
        if not pair.agrees:
            by_reason[reason(peer, pair)].append(pair)
    for because, those in sorted(by_reason.items(), key=lambda it: (-len(it[1]), it[0])):
        top = max(those, key=lambda it: (abs((it.theirs or 0) - (it.ours or 0)), it.trace, it.name))
        labels = "; ".join(sorted({it.label for it in those}))
        example = f"`{_short(top.name)}`, " * bool(top.name) + top.trace
        values = f"{_shown(top.theirs)} | {_shown(top.ours)}"
        yield f"| {labels} | {_where(those)} | {example} | {values} | {because} |"
    for error, traces in sorted(failed.items()):
        yield f"| all | {', '.join(traces)} | | fails: {_short(error)} | answers | |"


def _where(those: list[Pair]) -> str:
    traces = sorted({it.trace for it in those})
    if len(traces) <= _MOST:
        return ", ".join(traces)
    return f"{len(traces)} traces"


def _count(traces: set[str]) -> str:
    return f"{len(traces)} trace{'s' * (len(traces) != 1)}"


def _short(text: str) -> str:
    text = text.replace("|", "/").replace("`", "'")
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def _shown(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if value == int(value) else f"{value:,.3f}"


def main() -> int:
    """Print the tables, or write them between the marks of the peer in a page."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("peer", choices=sorted(TITLES))
    parser.add_argument("python", help="the Python that has the peer installed")
    parser.add_argument("traces", nargs="+", type=Path)
    parser.add_argument("--write", type=Path, help="the page to write the tables into")
    options = parser.parse_args()
    found, failed = list[Pair](), defaultdict[str, list[str]](list)
    for trace in options.traces:
        theirs, name = ask(options.peer, options.python, trace), trace.name.partition(".")[0]
        if "error" in theirs:
            failed[theirs["error"]].append(name)
        else:
            found += pairs(name, theirs, OURS[options.peer](trace))
    text = "\n".join(tables(options.peer, found, failed))
    if options.write is None:
        print(text)
    else:
        page = options.write.read_text("utf-8")
        marks = re.compile(
            rf"(<!-- {options.peer} -->\n).*?(<!-- end of {options.peer} -->)", re.DOTALL
        )
        options.write.write_text(
            marks.sub(lambda it: f"{it[1]}{text}\n{it[2]}", page, count=1), "utf-8"
        )
    return int(f"| {UNEXPLAINED} |" in text)


if __name__ == "__main__":
    sys.exit(main())
