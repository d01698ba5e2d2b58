"""The Perfetto UI is told to show the rows that matter, by the titles that it gives them."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from tests.support.handmade import cpu, judge, kernel, source_of, text, x
from tp_tools.repair import analysis
from tp_tools.viewer import startup

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.handmade import Event

PIN, EXPAND, ASK = (
    f"dev.perfetto.{name}"
    for name in ("PinTracksByRegex", "ExpandTracksByRegex", "RunQueryAndShowTab")
)


def told(folder: Path, *events: Event) -> list[dict[str, Any]]:
    """The commands for a trace of these events."""
    examined = analysis.analyze(source_of(text(events), folder), judge())
    commands: list[dict[str, Any]] = json.loads(startup.commands(examined))
    return commands


def patterns(commands: list[dict[str, Any]], name: str) -> list[str]:
    """The first argument of each command of this name."""
    return [it["args"][0] for it in commands if it["id"] == name]


def named(kind: str, name: str, pid: int = 0, tid: int = 7) -> Event:
    """A metadata event."""
    return {"ph": "M", "name": kind, "pid": pid, "tid": tid, "args": {"name": name}}


def test_named_rows_are_told_by_name_and_id(tmp_path: Path) -> None:
    """The UI writes a name and the id behind it, as it finds them."""
    commands = told(
        tmp_path,
        named("process_name", "python3 [a+b]"),
        named("thread_name", "stream 7 "),
        kernel("k", 0, 1000, 1),
    )
    (pin,) = patterns(commands, PIN)
    assert re.search(pin, "stream 7  7")
    assert not re.search(pin, "stream 7  77")
    (expand,) = patterns(commands, EXPAND)
    assert re.search(expand, "python3 [a+b] 0")
    assert not re.search(expand, "python3 [a+b] 01")


def test_rows_without_a_name_are_told_by_id(tmp_path: Path) -> None:
    """The UI calls them Thread and Process."""
    commands = told(tmp_path, kernel("k", 0, 1000, 1))
    assert patterns(commands, PIN) == [r"^(Thread\ 7)$"]
    assert patterns(commands, EXPAND) == [r"^(Process\ 0)$"]


def test_ids_are_those_of_the_repaired_trace(tmp_path: Path) -> None:
    """Stream 0 of GPU 2 gets another id in the repair, and is looked for under that."""
    commands = told(tmp_path, kernel("k", 0, 1000, 1, pid=2, tid=0))
    assert patterns(commands, PIN) == [r"^(stream\ 0\ 1)$"]


def test_a_stream_is_followed_by_its_lanes(tmp_path: Path) -> None:
    """Lanes are pinned below their stream and above the next one; overlaps are asked for."""
    commands = told(
        tmp_path,
        kernel("a", 0, 9000, 1, tid=20),
        kernel("b", 0, 5000, 2),
        kernel("c", 3000, 9000, 3),
    )
    assert patterns(commands, PIN) == [
        r"^(stream\ 7\ 7)$",
        r"^(stream\ 7\ \(2\)\ 8)$",
        r"^(Thread\ 20)$",
    ]
    assert "tpt_tolerance_ns" in patterns(commands, ASK)[0]


def test_cpu_rows_are_left_alone(tmp_path: Path) -> None:
    """A trace without GPU work pins nothing and opens nothing."""
    assert told(tmp_path, cpu("op", 0, 1000)) == []


def test_the_busiest_rows_are_pinned_in_order(tmp_path: Path) -> None:
    """Of more rows than there is room for the busiest are pinned, in the order of their numbers."""
    events = [kernel("k", 0, 1000 + tid, tid, tid=tid) for tid in range(1, 31)]
    commands = told(tmp_path, *reversed(events))
    wanted = [rf"^(Thread\ {tid})$" for tid in range(31 - startup.MOST_PINNED, 31)]
    assert patterns(commands, PIN) == wanted


def test_collectives_of_a_merge_come_first(tmp_path: Path) -> None:
    """The rows that `tp-tools merge` adds stand above the streams."""
    commands = told(
        tmp_path,
        named("thread_name", "ranks 0-1", pid=1, tid=2),
        x("all_reduce", 0, 1000, cat="collective", pid=1, tid=2),
        kernel("k", 0, 90_000, 1),
    )
    assert patterns(commands, PIN) == [r"^(ranks\ 0\-1\ 2)$", r"^(Thread\ 7)$"]


def test_a_file_that_was_not_looked_into() -> None:
    """Streams are pinned by pattern; no row is expanded that is not known."""
    commands = json.loads(startup.commands(None))
    assert [it["id"] for it in commands] == [PIN, PIN, ASK]
    assert any(re.search(pattern, "stream 7  7") for pattern in patterns(commands, PIN))
    assert not any(re.search(pattern, "thread 7 (python)") for pattern in patterns(commands, PIN))
