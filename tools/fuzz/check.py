"""Run one input through a command and name what is wrong with how that ended."""

from __future__ import annotations

import contextlib
import io
import re
import time
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from tools.fuzz import dense, exports, mutate
from tools.fuzz.outputs import lost_events, output_faults
from tp_tools import library
from tp_tools.cli.main import main
from tp_tools.errors import TpToolsError
from tp_tools.library.header import parse

if TYPE_CHECKING:
    from tools.fuzz.corpus import Corpus

LATEST_CPU_S = 10.0
"""CPU seconds within which every input of a few kB has to end."""

KINDS = {
    "fix": 44,
    "pftrace": 20,
    "merge": 12,
    "nsys": 10,
    "dense": 10,
    "header": 3,
    "answer": 1,
}
"""What is done with an input: `fix` to JSON or to `.pftrace`, `merge`, `fix` of an export and of
`dense.trace`, the parser of headers, one of `ANSWERS`; and how often of 100."""

ANSWERS = ("query", "info", "report", "diagnose", "diff")
"""Commands that answer in words, rows or a page; `query` gets all queries about one rank."""

REFUSED = 3
_BAD_WORDS = (
    "Traceback",
    "TraceProcessor does not know",
    "a fault of",
    "report that",
    "report this",
)

_CUT = re.compile(r"(\d+) slices? of or inside B and E events: Perfetto v51-56 ends them sooner")

_NO_PAIR = "Cannot compare"
"""The line of `diff`, which says why and shows what it can, with exit code 3, too."""


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
    if kind == "header":
        ran = _header(random, corpus)
    elif kind == "answer":
        ran = _answer(random, corpus)
    elif kind == "merge":
        ran = _merge(random, corpus)
    elif kind == "nsys":
        ran = _nsys(random)
    elif kind == "dense":
        ran = _dense(random)
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
    code, said = _command("fix", "-j", "1", "in.json", "-o", out, *proof)
    faults = _ended(code, said, {"in.json"}, out)
    if Path("in.json").read_bytes() != data:
        faults.append("the input was changed")
    if code == 0:
        faults += output_faults(Path(out).read_bytes(), [data], _cut(said))
        if kind == "fix" and "left out" not in said:
            faults += lost_events(data, Path(out).read_bytes())
    return Ran(f"fix {Path(out).suffix}{' --verify' if proof else ''}: {code}", faults)


def _dense(random: Random) -> Ran:
    """Repair and prove a trace, in both forms."""
    data = dense.trace(random)
    Path("in.json").write_bytes(data)
    ended, faults = [], []
    for out in ("out.json", "out.pftrace"):
        code, said = _command("fix", "-j", "1", "in.json", "-o", out, "--verify")
        faults += _ended(code, said, {"in.json"}, out)
        ended.append(str(code))
        if code == 0:
            faults += output_faults(Path(out).read_bytes(), [data], _cut(said))
        Path(out).unlink(missing_ok=True)
    return Ran(f"fix dense: {' '.join(ended)}", faults)


def _nsys(random: Random) -> Ran:
    data = exports.export(random, Path("in.sqlite"))
    proof = ["--verify"] if random.random() < 0.3 else []
    code, said = _command("fix", "-j", "1", "in.sqlite", "-o", "out.json", *proof)
    faults = _ended(code, said, {"in.sqlite"}, "out.json")
    if Path("in.sqlite").read_bytes() != data:
        faults.append("the input was changed")
    if code == 0:
        faults += output_faults(Path("out.json").read_bytes(), [])
    return Ran(f"fix .sqlite{' --verify' if proof else ''}: {code}", faults)


def _merge(random: Random, corpus: Corpus) -> Ran:
    made = mutate.ranks(random, corpus)
    names = [f"rank{i}.json" for i in range(len(made))]
    for name, data in zip(names, made, strict=True):
        Path(name).write_bytes(data)
    out = random.choice(("out.json", "out.pftrace"))
    missing = ["--allow-missing"] if random.random() < 0.5 else []
    code, said = _command("merge", "-j", "1", *names, "-o", out, *missing)
    faults = _ended(code, said, set(names), out)
    if code == 0:
        faults += output_faults(Path(out).read_bytes(), made)
    return Ran(f"merge {Path(out).suffix}: {code}", faults)


def _header(random: Random, corpus: Corpus) -> Ran:
    sql = mutate.query(random, corpus)
    try:
        header = parse(sql, "query.sql")
        library.expand(sql)
    except TpToolsError as error:
        return Ran("header: refused", _words(str(error)))
    except Exception as error:  # noqa: BLE001  a fault to report
        return Ran("header: crashed", [f"{type(error).__name__}: {error}"])
    return Ran("header: read", [] if header.scope in {"rank", "job"} else ["scope"])


def _answer(random: Random, corpus: Corpus) -> Ran:
    command = random.choice(ANSWERS)
    data = mutate.trace(random, corpus, random.choice((40, 120, 400)))
    Path("in.json").write_bytes(data)
    words = [command, "in.json"]
    out = ""
    if command == "query":
        out = "answers"
        words = [command, ",".join(_rank_queries()), "in.json", "-o", "answers/"]
    elif command == "report":
        out = "page.html"
        words += ["-o", out]
    elif command == "diff":
        Path("b.json").write_bytes(mutate.trace(random, corpus))
        words.append("b.json")
    code, said = _command(*words)
    faults = _ended(code, said, {"in.json", *words[2:]} - {"answers/", out}, out)
    if Path("in.json").read_bytes() != data:
        faults.append("the input was changed")
    return Ran(f"{command}: {code}", faults)


def _rank_queries() -> list[str]:
    """Return the names of the queries about one rank."""
    found = library.queries().items()
    return [name for name, path in found if parse(library.read(path), path.name).scope == "rank"]


def _command(*words: str) -> tuple[int, str]:
    """Run a command in this process; return its exit code and what it said."""
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
        try:
            main([words[0], "-q", *words[1:]])
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
    if code == REFUSED and len(errors) != 1 and _NO_PAIR not in said:
        faults.append(f"{len(errors)} lines: {errors[:3]}")
    left = {path.name for path in Path().iterdir()} - inputs
    if left != ({out} - {""} if code == 0 else set()):
        faults.append(f"left {sorted(left)}")
    return faults


def _cut(said: str) -> int:
    """Return the number of slices that Perfetto ends sooner, as `fix` says it."""
    found = _CUT.search(said)
    return int(found[1]) if found else 0


def _words(said: str) -> list[str]:
    return [f"says {word!r}: {said.strip()[-300:]}" for word in _BAD_WORDS if word in said]
