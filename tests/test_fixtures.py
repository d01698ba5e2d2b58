"""The fixtures are what their makers say, and their truths hold against an independent check."""

import gzip
import json
import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from fixtures.make import FIXTURES, HERE, contents, truth_of
from tests.support.command_line import run

Event = dict[str, Any]
Interval = tuple[int, int]
MADE = sorted(FIXTURES)
RECORDED = ["torch_cpu_with_stack.json.gz"]


def read(path: Path) -> str:
    """The text of a file, decompressed where it is compressed."""
    data = path.read_bytes()
    return (gzip.decompress(data) if path.suffix == ".gz" else data).decode()


def slices(name: str, nanoseconds: Callable[[Decimal | int], int]) -> list[Event]:
    """The complete events of a fixture, with `ts`, `end` and `dur` in ns."""
    document = json.loads(read(HERE / name), parse_float=Decimal)
    found = [event for event in document["traceEvents"] if event["ph"] == "X"]
    for event in found:
        event["ts"], event["dur"] = nanoseconds(event["ts"]), nanoseconds(event["dur"])
        event["end"] = event["ts"] + event["dur"]
    return found


def exactly(micros: Decimal | int) -> int:
    """Microseconds as ns, without a float."""
    return int(Decimal(micros) * 1000)


def as_perfetto(micros: Decimal | int) -> int:
    """Microseconds as ns, through the double that Perfetto's JSON importer uses.

    The integer and the fraction are parsed apart and added; the product is rounded half away from
    zero (`StringToDouble` in util/json_parser.h, `CoerceToTs` in json_trace_tokenizer.cc, v52.0).
    """
    whole, _, fraction = str(micros).partition(".")
    value = float(int(whole)) + (int(fraction) / 10 ** len(fraction) if fraction else 0.0)
    if value == math.trunc(value):
        return int(value) * 1000
    return math.floor(value * 1000.0 + 0.5)


def perfetto_row(event: Event) -> tuple[object, object]:
    """The (pid, tid) under which Perfetto files an event: tid 0 becomes the pid."""
    pid = 0 if event["pid"] == -1 else event["pid"]
    return pid, event["tid"] or pid


def dropped(events: Iterable[Event]) -> list[Event]:
    """Slices that Perfetto v51-56 drops: each ends after an open one that started before it."""
    stacks: dict[object, list[int]] = defaultdict(list)
    lost = []
    for event in sorted(events, key=lambda it: (it["ts"], -it["dur"])):
        stack = stacks[perfetto_row(event)]
        while stack and stack[-1] <= event["ts"]:
            stack.pop()
        if stack and stack[-1] < event["end"]:
            lost.append(event)
        else:
            stack.append(event["end"])
    return lost


def partly_overlap(one: Interval, other: Interval) -> bool:
    """Whether two intervals share time and neither holds the other."""
    (start, end), (later_start, later_end) = sorted((one, other))
    return start < later_start < end < later_end


def key(event: Event) -> tuple[str, int, int]:
    """Key that tells one slice of a fixture from another."""
    return event["name"], event["ts"], event["dur"]


def test_every_file_is_what_its_script_makes() -> None:
    """The committed files are what make.py writes, none missing and none left over."""
    made = contents()
    assert {name: read(HERE / name) for name in made} == made
    committed = {path.name for path in HERE.glob("*.json*")}
    assert committed == {*made, *RECORDED}


@pytest.mark.parametrize("name", MADE + RECORDED)
def test_a_fixture_stays_small(name: str) -> None:
    """A clone never carries more than 50 KB for one fixture."""
    assert (HERE / name).stat().st_size < 50_000


@pytest.mark.parametrize("name", MADE)
def test_hidden_is_what_the_importer_drops(name: str) -> None:
    """The slices that a truth calls hidden are those that Perfetto's nesting rule drops."""
    lost = [(it["name"], it["dur"]) for it in dropped(slices(name, as_perfetto))]
    hidden = [(it["name"], it["dur"]) for it in truth_of(name)["hidden"]]
    assert sorted(lost) == sorted(hidden)


@pytest.mark.parametrize("name", MADE)
def test_hidden_for_another_reason_than_overlap(name: str) -> None:
    """Without the double and without the misread tid, only true overlaps are dropped."""
    events = slices(name, exactly)
    for event in events:
        event["tid"] = str(event["tid"])
    truth = truth_of(name)
    overlapping = [key(it) for it in truth["hidden"] if it["reason"] in ("concurrent", "jitter")]
    assert sorted(key(event) for event in dropped(events)) == sorted(overlapping)


@pytest.mark.parametrize("name", MADE)
def test_moved_and_trimmed_are_a_whole_repair(name: str) -> None:
    """With the moves and trims of a truth done, no two slices of a lane partly overlap."""
    truth = truth_of(name)
    lane = {key(it): it["lane"] for it in truth["moved"]}
    kept = {key(it): it["trimmed_dur"] for it in truth["trimmed"]}
    lanes: dict[object, list[Interval]] = defaultdict(list)
    for event in slices(name, exactly):
        end = event["ts"] + kept.get(key(event), event["dur"])
        row = (event["pid"], event["tid"], lane.get(key(event), 1))
        lanes[row].append((event["ts"], end))
    for intervals in lanes.values():
        pairs = ((a, b) for i, a in enumerate(intervals) for b in intervals[:i])
        assert [pair for pair in pairs if partly_overlap(*pair)] == []


@pytest.mark.parametrize("name", MADE)
def test_no_slice_moves_or_shrinks_without_need(name: str) -> None:
    """Every slice that a truth moves or trims partly overlaps another of its row."""
    truth = truth_of(name)
    rows: dict[object, list[Interval]] = defaultdict(list)
    for event in slices(name, exactly):
        rows[event["pid"], event["tid"]].append((event["ts"], event["end"]))
    for it in truth["moved"] + truth["trimmed"]:
        others = rows[tuple(it["row"])]
        assert any(partly_overlap((it["ts"], it["ts"] + it["dur"]), other) for other in others), it


@pytest.mark.parametrize("name", MADE)
def test_arrows_join_a_launch_and_its_kernel(name: str) -> None:
    """Each arrow joins two slices; a launch arrow's share its number as their correlation."""
    starts = {(it["pid"], it["tid"], it["ts"], it["name"]): it for it in slices(name, exactly)}
    for arrow in truth_of(name)["arrows"]:
        source, target = (
            starts[(*end["row"], end["ts"], end["name"])] for end in (arrow["from"], arrow["to"])
        )
        assert source["end"] <= target["ts"]
        if target["cat"] == "kernel":
            assert source["args"]["correlation"] == target["args"]["correlation"] == arrow["id"]


def test_the_hidden_kernel_is_the_one_that_matters() -> None:
    """The kernel that the README's fixture loses takes the most time of all."""
    total: dict[str, int] = defaultdict(int)
    for it in slices("pdl_decode.json.gz", exactly):
        if it["cat"] == "kernel":
            total[it["name"]] += it["dur"]
    hidden = {it["name"] for it in truth_of("pdl_decode.json.gz")["hidden"]}
    assert max(total, key=total.__getitem__) in hidden


def test_the_sound_trace_holds_nothing_to_repair() -> None:
    """No text ids, no negative or misread ids, no escapes and no time that a double loses."""
    text = read(HERE / "sound.json.gz")
    assert text.isascii()
    assert "\\" not in text
    for event in slices("sound.json.gz", exactly):
        assert isinstance(event["pid"], int)
        assert event["pid"] >= 0
        assert event["tid"] > 0
        assert event["ts"] < 2**42 * 1000


def test_the_recording_names_no_machine() -> None:
    """The recorded trace holds no absolute path and no host but localhost."""
    text = read(HERE / RECORDED[0])
    document = json.loads(text)
    assert document["host_name"] == "localhost"
    names = [str(event["name"]) for event in document["traceEvents"]]
    assert [name for name in names if name.startswith("/") or "site-packages" in name] == []
    assert "/tmp" not in text  # noqa: S108  looked for, not used


def test_the_recording_holds_what_it_was_recorded_for() -> None:
    """Real annotations overlap Python frames, and at today's times a double hides two more."""
    annotations = dropped(slices(RECORDED[0], exactly))
    assert [event["cat"] for event in annotations] == ["user_annotation"] * 10
    assert len(dropped(slices(RECORDED[0], as_perfetto))) == 12


@pytest.mark.parametrize("name", MADE)
def test_fix_does_what_the_truth_says(name: str, tmp_path: Path) -> None:
    """The command moves and trims the slices that a truth names, to those lanes and ends."""
    fixed = tmp_path / "fixed.json.gz"
    run("fix", HERE / name, "-o", fixed, "--quiet")
    document = json.loads(read(fixed), parse_float=Decimal)["traceEvents"]
    names = {
        (it["pid"], it["tid"]): it["args"]["name"] for it in document if it["name"] == "thread_name"
    }
    moved, trimmed = [], []
    after = (event for event in document if event["ph"] == "X")
    for before, event in zip(slices(name, exactly), after, strict=True):
        lane = re.search(r" \((\d+)\)$", names.get((event["pid"], event["tid"]), ""))
        if lane:
            moved.append((*key(before), int(lane[1])))
        if exactly(event["dur"]) != before["dur"]:
            trimmed.append((*key(before), exactly(event["dur"])))
    truth = truth_of(name)
    assert sorted(moved) == sorted((*key(it), it["lane"]) for it in truth["moved"])
    assert sorted(trimmed) == sorted((*key(it), it["trimmed_dur"]) for it in truth["trimmed"])
