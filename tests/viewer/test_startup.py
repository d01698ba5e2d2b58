"""The startup commands of the Perfetto UI name tracks by the titles that the UI gives them."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from tests.support.handmade import cpu, kernel, overlap_options, source_of, text, x
from tp_tools.repair import analysis
from tp_tools.viewer import startup

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.handmade import Event

PIN, EXPAND, QUERY = (
    f"dev.perfetto.{name}"
    for name in ("PinTracksByRegex", "ExpandTracksByRegex", "RunQueryAndShowTab")
)


def commands_for(folder: Path, *events: Event) -> list[dict[str, Any]]:
    """Analyze a trace of these events; return the startup commands."""
    result = analysis.analyze(source_of(text(events), folder), overlap_options())
    commands: list[dict[str, Any]] = json.loads(startup.commands(result))
    return commands


def patterns(commands: list[dict[str, Any]], name: str) -> list[str]:
    """Return the first argument of each command of this name."""
    return [command["args"][0] for command in commands if command["id"] == name]


def named(kind: str, name: str, pid: int = 0, tid: int = 7) -> Event:
    """Make a metadata event that names a process or thread."""
    return {"ph": "M", "name": kind, "pid": pid, "tid": tid, "args": {"name": name}}


def test_named_tracks_are_matched_by_name_and_id(tmp_path: Path) -> None:
    """A title is the name followed by the id, and special characters match themselves."""
    commands = commands_for(
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


def test_tracks_without_a_name_are_matched_by_id(tmp_path: Path) -> None:
    """The UI titles them "Thread 7" and "Process 0"."""
    commands = commands_for(tmp_path, kernel("k", 0, 1000, 1))
    assert patterns(commands, PIN) == [r"^(Thread\ 7)$"]
    assert patterns(commands, EXPAND) == [r"^(Process\ 0)$"]


def test_ids_are_those_of_the_repaired_trace(tmp_path: Path) -> None:
    """Stream 0 of GPU 2 gets another id in the repair, and is matched by that."""
    commands = commands_for(tmp_path, kernel("k", 0, 1000, 1, pid=2, tid=0))
    assert patterns(commands, PIN) == [r"^(stream\ 0\ 1)$"]


def test_a_stream_is_followed_by_its_lanes(tmp_path: Path) -> None:
    """Lanes are pinned below their stream and above the next; the overlaps query is run."""
    commands = commands_for(
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
    assert "tpt_tolerance_ns" in patterns(commands, QUERY)[0]


def test_cpu_tracks_are_not_pinned(tmp_path: Path) -> None:
    """A trace without GPU work needs no command."""
    assert commands_for(tmp_path, cpu("op", 0, 1000)) == []


def test_the_busiest_tracks_are_pinned_in_order(tmp_path: Path) -> None:
    """Of 30 tracks the busiest are pinned, in the order of their numbers."""
    events = [kernel("k", 0, 1000 + tid, tid, tid=tid) for tid in range(1, 31)]
    commands = commands_for(tmp_path, *reversed(events))
    expected = [rf"^(Thread\ {tid})$" for tid in range(31 - startup.MAX_PINNED, 31)]
    assert patterns(commands, PIN) == expected


def test_a_stream_is_pinned_of_all_ranks_or_of_none(tmp_path: Path) -> None:
    """Of eight ranks with two streams the one with more work is pinned, on every rank."""
    events = [
        event
        for rank in range(8)
        for tid, dur in ((7, 1000 * (8 - rank)), (84, 9000))
        for event in (
            named("thread_name", f"rank {rank} · stream {tid}", pid=rank, tid=tid),
            kernel("k", 0, dur, 10 * rank + tid, pid=rank, tid=tid),
        )
    ]
    titles = [
        pattern.replace("\\", "") for pattern in patterns(commands_for(tmp_path, *events), PIN)
    ]
    assert [title[2:].partition(" ·")[0] for title in titles] == [f"rank {n}" for n in range(8)]
    assert all("stream 84" in title for title in titles)


def test_collectives_of_a_merge_come_first(tmp_path: Path) -> None:
    """The tracks that `tp-tools merge` adds are pinned above the streams."""
    commands = commands_for(
        tmp_path,
        named("thread_name", "ranks 0-1", pid=1, tid=2),
        x("all_reduce", 0, 1000, cat="collective", pid=1, tid=2),
        kernel("k", 0, 90_000, 1),
    )
    assert patterns(commands, PIN) == [r"^(ranks\ 0\-1\ 2)$", r"^(Thread\ 7)$"]


def test_a_large_trace_is_shown_without_a_query(tmp_path: Path) -> None:
    """The overlaps of a few events are listed; of more than the bound a button does it."""
    events = [kernel("a", 0, 90_000, 1), kernel("b", 50_000, 120_000, 2)]
    result = analysis.analyze(source_of(text(events), tmp_path), overlap_options())
    listed = [json.loads(startup.commands(result, most)) for most in (2, 1)]
    queries = [[it.get("later") for it in one if it["id"] == QUERY] for one in listed]
    assert queries == [[None], ["Overlaps"]]


def test_commands_without_an_analysis() -> None:
    """Streams are pinned by a pattern that threads of the CPU do not match; no query is run."""
    commands = json.loads(startup.commands(None))
    assert [command["id"] for command in commands] == [PIN, PIN]
    assert any(re.search(pattern, "stream 7  7") for pattern in patterns(commands, PIN))
    assert not any(re.search(pattern, "thread 7 (python)") for pattern in patterns(commands, PIN))
