"""Run one input through a command and name what is wrong with how that ended."""

from __future__ import annotations

import contextlib
import io
import json
import math
import time
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from tools.fuzz import exports, mutate
from tp_tools import engine, library
from tp_tools.cli.main import main
from tp_tools.engine.stats import harmless
from tp_tools.errors import TpToolsError
from tp_tools.library.header import parse

if TYPE_CHECKING:
    from tools.fuzz.corpus import Corpus

LATEST_CPU_S = 10.0
"""CPU seconds within which every input of a few kB has to end."""

EXACT_US = 1 << 42
"""Times up to which Perfetto's double holds nanoseconds."""

KINDS = {"fix": 54, "pftrace": 20, "merge": 12, "nsys": 10, "query": 4}
"""What is done with an input: `fix` to JSON or to `.pftrace`, `merge`, `fix` of an export, the
parser of headers; and how often of 100."""

REFUSED = 3
_BAD_WORDS = ("Traceback", "does not know", "a fault of", "report that", "report this")

Times = Counter[tuple[int, int]]
"""Slices by start and duration, ns."""


@dataclass(frozen=True)
class Ran:
    """How an input ended.

    Attributes:
        kind: what was run, and how it ended: "fix json: 0".
        faults: what was wrong with it; empty if nothing.
    """

    kind: str
    faults: list[str]


def run(number: int, seed: int, corpus: Corpus) -> Ran:
    """Make and run an input, in the current folder, which is empty before.

    Args:
        number: of the input; with `seed` it decides all about it.
        seed: of the run.
        corpus: what inputs are made of.
    """
    random, kind = _begin(number, seed)
    began = time.process_time()
    if kind == "query":
        ran = _query(random, corpus)
    elif kind == "merge":
        ran = _merge(random, corpus)
    elif kind == "nsys":
        ran = _nsys(random)
    else:
        ran = _fix(random, corpus, kind)
    took = time.process_time() - began
    if took > LATEST_CPU_S:
        ran.faults.append(f"took {took:.1f} s of CPU")
    return ran


def kind_of(number: int, seed: int) -> str:
    """Return what is done with an input: one of `KINDS`."""
    return _begin(number, seed)[1]


def _begin(number: int, seed: int) -> tuple[Random, str]:
    """Return the random numbers of an input, and its kind, which was drawn first."""
    random = Random(f"{seed} {number}")
    return random, random.choices([*KINDS], [*KINDS.values()])[0]


def _fix(random: Random, corpus: Corpus, kind: str) -> Ran:
    data = mutate.trace(random, corpus)
    out = "out.json" if kind == "fix" else "out.pftrace"
    Path("in.json").write_bytes(data)
    proof = ["--verify"] if random.random() < (0.3 if kind == "fix" else 0.6) else []
    code, said = _command("fix", "in.json", "-o", out, *proof)
    faults = _ended(code, said, {"in.json"}, out)
    if Path("in.json").read_bytes() != data:
        faults.append("the input was changed")
    if code == 0:
        faults += _output_faults(Path(out).read_bytes(), [data])
        if kind == "fix" and "left out" not in said:
            faults += _lost(data, Path(out).read_bytes())
    return Ran(f"fix {Path(out).suffix}{' --verify' if proof else ''}: {code}", faults)


def _nsys(random: Random) -> Ran:
    data = exports.export(random, Path("in.sqlite"))
    proof = ["--verify"] if random.random() < 0.3 else []
    code, said = _command("fix", "in.sqlite", "-o", "out.json", *proof)
    faults = _ended(code, said, {"in.sqlite"}, "out.json")
    if Path("in.sqlite").read_bytes() != data:
        faults.append("the input was changed")
    if code == 0:
        faults += _output_faults(Path("out.json").read_bytes(), [])
    return Ran(f"fix .sqlite{' --verify' if proof else ''}: {code}", faults)


def _merge(random: Random, corpus: Corpus) -> Ran:
    made = mutate.ranks(random, corpus)
    names = [f"rank{i}.json" for i in range(len(made))]
    for name, data in zip(names, made, strict=True):
        Path(name).write_bytes(data)
    out = random.choice(("out.json", "out.pftrace"))
    missing = ["--allow-missing"] if random.random() < 0.5 else []
    code, said = _command("merge", *names, "-o", out, *missing)
    faults = _ended(code, said, set(names), out)
    if code == 0:
        faults += _output_faults(Path(out).read_bytes(), made)
    return Ran(f"merge {Path(out).suffix}: {code}", faults)


def _query(random: Random, corpus: Corpus) -> Ran:
    sql = mutate.query(random, corpus)
    try:
        header = parse(sql, "query.sql")
        library.expand(sql)
    except TpToolsError as error:
        return Ran("header: refused", _words(str(error)))
    except Exception as error:  # noqa: BLE001  a fault to report
        return Ran("header: crashed", [f"{type(error).__name__}: {error}"])
    return Ran("header: read", [] if header.scope in {"rank", "job"} else ["scope"])


def _command(*words: str) -> tuple[int, str]:
    """Run a command in this process; return its exit code and what it said."""
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
        try:
            main([words[0], "-q", "-j", "1", *words[1:]])
        except SystemExit as leaving:
            return int(leaving.code or 0), said.getvalue()
        except BaseException as error:  # noqa: BLE001  a fault to report
            return -1, f"Traceback: {type(error).__name__}: {error}"
    return 0, said.getvalue()


def _ended(code: int, said: str, inputs: set[str], out: str) -> list[str]:
    """List what is wrong with the exit code, the words and the files that are left."""
    faults = _words(said)
    if code not in {0, REFUSED}:
        faults.append(f"exit code {code}: {said.strip()[-300:]}")
    errors = [line for line in said.splitlines() if line and "warning:" not in line]
    if code == REFUSED and len(errors) != 1:
        faults.append(f"{len(errors)} lines: {errors[:3]}")
    left = {path.name for path in Path().iterdir()} - inputs
    if left != ({out} if code == 0 else set()):
        faults.append(f"left {sorted(left)}")
    return faults


def _words(said: str) -> list[str]:
    return [f"says {word!r}: {said.strip()[-300:]}" for word in _BAD_WORDS if word in said]


def _output_faults(data: bytes, inputs: list[bytes]) -> list[str]:
    """Load an output, and compare it with what TraceProcessor shows of it."""
    try:
        with engine.load([data], source="out", allow_loss=True) as tp:
            lost = {name: n for name, n in engine.losses(tp).items() if not harmless(name)}
            shown = Counter(engine.rows(tp, "SELECT ts, dur FROM slice"))
    except TpToolsError as error:
        return [f"unreadable output: {error}"]
    faults = []
    if lost and None not in (before_each := [_losses(it) for it in inputs]):
        before = sum((Counter(it) for it in before_each), Counter[str]())
        more = {name: n for name, n in lost.items() if n > before[name]}
        faults += [f"loses {more}, the inputs {dict(before)}"] if more else []
    if data[:1] in b"{[" and data[:1]:
        try:
            missing = _times(json.loads(data, parse_float=Decimal)) - shown
        except (ValueError, RecursionError) as error:
            return [*faults, f"is no JSON: {error}"]
        faults += (
            [f"{missing.total()} slices are not shown: {list(missing)[:3]}"] if missing else []
        )
    return faults


def _losses(data: bytes) -> dict[str, int] | None:
    """Return what TraceProcessor loses of an input; None where it cannot read it to its end."""
    try:
        with engine.load([data], source="in", allow_loss=True) as tp:
            lost = engine.losses(tp)
    except TpToolsError:
        return None
    return None if "json_tokenizer_failure" in lost else lost


def _events(trace: object) -> list[dict[str, object]]:
    events = trace.get("traceEvents") if isinstance(trace, dict) else trace
    return [it for it in events or () if isinstance(it, dict)] if isinstance(events, list) else []


def _times(trace: object) -> Times:
    """Return start and duration of the X events whose times a double of us holds to the ns."""
    found = Times()
    for event in _events(trace):
        ts, dur = _ns(event.get("ts")), _ns(event.get("dur"))
        if event.get("ph") == "X" and ts is not None and dur is not None:
            found[ts, dur] += 1
    return found


def _ns(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    if not 0 <= value < EXACT_US or value * 1000 % 1:
        return None
    return int(value * 1000)


def _lost(data: bytes, out: bytes) -> list[str]:
    """List X events of a sound input that the output lacks, by name and recorded duration."""
    given = mutate.plain_json(data)
    if given is None:
        return []
    before, after = _named(given), _named(json.loads(out, parse_float=Decimal), -1)
    missing = before - after
    return [f"{missing.total()} events are gone: {list(missing)[:3]}"] if missing else []


def _named(trace: object, least_us: float = 1e-3) -> Counter[tuple[str, int]]:
    """Count X events by name and duration in ns, as recorded before a trim.

    Args:
        trace: the trace.
        least_us: events have to begin later: in an input a time of 0 was never filled in, while in
            a result, whose times may count from its first event, it is one like others.
    """
    found = Counter[tuple[str, int]]()
    for event in _events(trace):
        name, ts, dur, args = (event.get(key) for key in ("name", "ts", "dur", "args"))
        if isinstance(args, dict):
            dur = args.get("tpt_recorded_dur", dur)
        numbers = all(
            isinstance(it, int | float | Decimal)
            and not isinstance(it, bool)
            and math.isfinite(it)
            and least < it < EXACT_US << 10
            for it, least in ((ts, least_us), (dur, 1e-3))
        )
        if event.get("ph") == "X" and isinstance(name, str) and name.isalnum() and numbers:
            found[name, round(float(dur) * 1000)] += 1  # type: ignore[arg-type]
    return found
