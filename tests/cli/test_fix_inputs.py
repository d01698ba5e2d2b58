"""`tp-tools fix` on every kind of file that people have: packed, odd, damaged, no trace at all."""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import zstandard

from tests.support.command_line import TpTools
from tests.support.handmade import US, arrows, kernel, loaded, text
from tp_tools.chrome import sanitize
from tp_tools.repair import ids
from tp_tools.repair.summary import REPAIRS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.command_line import Ran

ADVICE = " Give the file that the profiler wrote."

FOUND, USAGE, INPUT, FAILED = 1, 2, 3, 4

KERNELS = [kernel("a", 0, 12 * US, 1), kernel("é},{", 20 * US, 30 * US, 2)]
EVENTS: list[dict[str, Any]] = json.loads(text(KERNELS))["traceEvents"]
TOP = {"schemaVersion": 1, "traceEvents": EVENTS, "distributedInfo": {"rank": 0}}
SOUND = json.dumps(TOP, ensure_ascii=False).encode()
OVERLAP = text([kernel("early", 0, 12 * US, 1), kernel("late", 10 * US, 22 * US, 2)])


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the test works, and where temporary files go."""
    (tmp_path / "temporary").mkdir()
    (tmp_path / "work").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work"


@pytest.fixture
def tp_tools(capsysbinary: pytest.CaptureFixture[bytes]) -> TpTools:
    """Runs the command line."""
    return TpTools(capsysbinary)


@pytest.fixture
def fix(tp_tools: TpTools, folder: Path) -> Callable[..., Ran]:
    """Runs `fix` on these bytes, and looks whether anything was left behind."""

    def run(data: bytes, *more: str, name: str = "trace.json", output: str = "out.json") -> Ran:
        (folder / name).write_bytes(data)
        before = files(folder)
        ran = tp_tools("fix", name, "-o", output, *more)
        new = {output} if ran.code == 0 and output != "-" and "--check" not in more else set()
        assert files(folder) == before | new
        assert (folder / name).read_bytes() == data
        assert not files(folder.parent / "temporary")
        return ran

    return run


def files(folder: Path) -> set[str]:
    """Everything in a folder, hidden files too."""
    return {path.name for path in folder.iterdir()}


def summary_of(ran: Ran) -> dict[str, Any]:
    """The one object that it printed."""
    found: dict[str, Any] = json.loads(ran.out)
    return found


def zst(data: bytes) -> bytes:
    """One zstd frame."""
    return zstandard.ZstdCompressor().compress(data)


# -- what a trace may come in --------------------------------------------------------------------

PACKED: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": gzip.compress,
    "gzip of two members": lambda data: gzip.compress(data[:99]) + gzip.compress(data[99:]),
    "zstd": zst,
    "zstd of two frames": lambda data: zst(data[:99]) + zst(data[99:]),
}
WRITTEN = {
    "one line": SOUND,
    "minified": json.dumps(TOP, separators=(",", ":")).encode(),
    "indented": json.dumps(TOP, indent=4, ensure_ascii=False).encode(),
    "with carriage returns": json.dumps(TOP, indent=1, ensure_ascii=False)
    .replace("\n", "\r\n")
    .encode(),
    "an array": json.dumps(EVENTS, ensure_ascii=False).encode(),
    "space around": b"\n \t" + SOUND + b"\n\n",
    "events last": json.dumps(dict(reversed(TOP.items())), ensure_ascii=False).encode(),
}
WRITTEN["minified"] = WRITTEN["minified"].replace(b"\\u00e9", "é".encode())


@pytest.mark.parametrize("packing", PACKED)
@pytest.mark.parametrize("writing", WRITTEN)
def test_a_sound_trace_comes_out_byte_for_byte(
    packing: str, writing: str, fix: Callable[..., Ran], folder: Path
) -> None:
    """Whatever it is packed in and however it is written."""
    ran = fix(PACKED[packing](WRITTEN[writing]))
    assert ran.code == 0
    assert "Nothing to repair." in ran.err
    assert (folder / "out.json").read_bytes() == WRITTEN[writing]


@pytest.mark.parametrize("packing", PACKED)
def test_standard_input_may_be_packed_too(
    packing: str, tp_tools: TpTools, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is read twice all the same, and no copy of it stays."""
    stdin = io.TextIOWrapper(io.BytesIO(PACKED[packing](OVERLAP)))
    monkeypatch.setattr(sys, "stdin", stdin)
    ran = tp_tools("fix", "-", "-o", "-", "--verify")
    assert ran.code == 0
    assert [e["tid"] for e in json.loads(ran.out)["traceEvents"] if e["ph"] == "X"] == [7, 8]
    assert not files(folder)
    assert not files(folder.parent / "temporary")


def test_unedited_events_keep_their_bytes(fix: Callable[..., Ran], folder: Path) -> None:
    """Only what has to change does: odd spacing, order of keys and notation stay as they were."""
    odd = [
        b'{ "ts":50.5e0,"dur" : "1.250","ph":"X" ,"name":"odd \\"one\\"\\n","pid":3,"tid":4.0 }',
        b'{"ph":"i","s":"g","name":"mark","ts":1,"pid":3,"tid":4,"x":[1.50,{"y":null}]}',
    ]
    events = OVERLAP.removesuffix(b"]}") + b",\n  " + b" ,\t".join(odd) + b"\n]}"
    assert fix(events, "--verify").code == 0
    written = (folder / "out.json").read_bytes()
    assert events[: events.index(b"late")].rpartition(b"{")[0] in written
    assert b",\n  " + odd[0] + b" ,\t" + odd[1] in written


# -- what is mended ------------------------------------------------------------------------------


def wrapped(*events: bytes) -> bytes:
    """A trace of these events' texts, between two sound ones."""
    first, last = (json.dumps(event, ensure_ascii=False).encode() for event in EVENTS)
    return b'{"traceEvents":[' + b",".join([first, *events, last]) + b"]}"


def x(member: bytes) -> bytes:
    """A slice with one more member."""
    return b'{"ph":"X","name":"x","pid":1,"tid":1,"ts":5,"dur":1,' + member + b"}"


MENDED = [
    pytest.param(b"\xef\xbb\xbf" + SOUND, {"byte_order_marks": 1}, id="byte order mark"),
    pytest.param(SOUND + b"\0" * 4096, {"zero_bytes": 1}, id="zeros at the end"),
    pytest.param(b'{"meta": {}, ' + SOUND[1:], {"first_keys": 1}, id="taken for a Firefox profile"),
    pytest.param(b'{"libs": {}, ' + SOUND[1:], {"first_keys": 1}, id="taken for simpleperf's"),
    pytest.param(
        wrapped(x(b'"args":{"a":NaN,"b":-Infinity}')), {"not_a_number": 2}, id="NaN in args"
    ),
    pytest.param(wrapped(x(b'"args":{"a":nan}')), {"not_a_number": 1}, id="nan in args"),
    pytest.param(
        wrapped(b'{"ph":"C","pid":1,"name":"c","ts":1,"args":{"v":3}}', x(b'"args":{"b":inf}')),
        {"not_a_number": 1},
        id="inf beside a counter",
    ),
    pytest.param(
        wrapped(x(b'"args":{"Comms Id":14387163837171351808}')),
        {"large_integers": 1},
        id="an integer over 63 bits",
    ),
    pytest.param(
        wrapped(x(b'"args":{"GB/s":0.00012345678901234567}')),
        {"long_decimals": 1},
        id="over 18 decimals",
    ),
    pytest.param(
        wrapped(b'{"ph":"X","pid":1,"tid":1,"ts":5.00123456789012345678,"dur":1}'),
        {"long_decimals": 1},
        id="over 18 decimals in a time",
    ),
    pytest.param(
        wrapped(b'{"ph":"X","pid":1,"tid":1,"ts":5,"dur":null}'), {"durationless": 1}, id="dur null"
    ),
    pytest.param(
        wrapped(b'{"ph":"X","pid":1,"tid":1,"ts":5,"dur":NaN}'),
        {"durationless": 1, "not_a_number": 1},
        id="dur NaN",
    ),
    pytest.param(wrapped(b'{"ph":"X","pid":1,"tid":1,"ts":5}'), {"durationless": 1}, id="no dur"),
    pytest.param(
        wrapped(b'{"ph":"X","pid":1,"tid":1,"ts":5,"dur":-3.5}'), {"durationless": 1}, id="dur < 0"
    ),
    pytest.param(
        wrapped(b'{"ph":"X","pid":1,"tid":1,"ts":null,"dur":1}'), {"untimed": 1}, id="ts null"
    ),
    pytest.param(wrapped(b'{"ph":"X","pid":1,"tid":1,"dur":1}'), {"untimed": 1}, id="no ts"),
    pytest.param(wrapped(b'{"pid":1,"tid":1,"ts":5}'), {"untimed": 1}, id="no phase"),
    pytest.param(
        wrapped(b'{"ph":"M","name":"process_name","pid":0,"args":{"name":""}}'),
        {"untimed": 1},
        id="an empty name",
    ),
    pytest.param(wrapped(b"null"), {"untimed": 1}, id="null among the events"),
    pytest.param(
        wrapped(b'{"ph":"s","pid":0,"tid":7,"ts":5,"name":"a"}'), {"untimed": 1}, id="no flow id"
    ),
    pytest.param(
        wrapped(b'{"ph":"i","s":"p","pid":1,"ts":5,"dur":null}'),
        {"void_times": 1},
        id="dur null of an instant",
    ),
    pytest.param(
        wrapped(b'{"ph":"M","name":"process_name","pid":0,"ts":null,"args":{"name":"P"}}'),
        {"void_times": 1},
        id="ts null of metadata",
    ),
    pytest.param(wrapped(x(b'"tts":null')), {"void_times": 1}, id="tts null"),
    pytest.param(
        wrapped(b'{"ph":"X","pid":1,"tid":1,"ts":4.0005,"dur":"9.99950"}'),
        {"fine_times": 2},
        id="half nanoseconds",
    ),
    pytest.param(wrapped(x(b'"cat":"a\tb\x01"')), {"control_characters": 2}, id="control"),
    pytest.param(
        wrapped()[:-1] + b',"host":"a\nb\x7f"}', {"control_characters": 2}, id="control in the top"
    ),
    pytest.param(wrapped()[:-2] + b",]}", {"stray_commas": 1}, id="a comma behind the events"),
    pytest.param(wrapped(b"", x(b'"args":{"a":1,}')), {"stray_commas": 2}, id="stray commas"),
    pytest.param(
        wrapped(x(b'"args":{"a":"\\ud83d!"}'), x(b'"cat":"\\ude00"')),
        {"lone_surrogates": 2},
        id="lone surrogates",
    ),
    pytest.param(wrapped(x(b'"args":{"\\u00e9":"\\ud83d\\ude00"}')), {"escapes": 2}, id="escapes"),
    pytest.param(
        wrapped(x(b'"args":{"path":"C:\\\\"}'), x(b'"cat":"\\\\\\\\"')),
        {"trailing_backslashes": 2},
        id="strings that end in a backslash",
    ),
    pytest.param(
        wrapped(x(b'"args":{"path":"C:\\Users\\x"}')), {"unknown_escapes": 2}, id="Windows paths"
    ),
    pytest.param(wrapped(x(b'"cat":"a\xff\xe2\x82b"')), {"invalid_utf8": 2}, id="invalid UTF-8"),
    pytest.param(
        wrapped(b'{"ph":"X","name":5,"cat":true,"pid":1,"tid":1,"ts":5,"dur":1}'),
        {"bare_texts": 2},
        id="a number as a name",
    ),
    pytest.param(
        wrapped(b'{"ph":"M","name":"process_name","pid":1,"args":{"name":17}}'),
        {"bare_texts": 1},
        id="a number as a process's name",
    ),
    pytest.param(
        wrapped(b'{"ph":"X","name":"o","pid":-1,"tid":0,"ts":5,"dur":1}'),
        {"negative_pids": 1, "zero_tids": 1},
        id="pid -1",
    ),
    pytest.param(
        wrapped(b'{"ph":"X","name":"o","pid":"Spans","tid":"x","ts":5,"dur":1}'),
        {"text_pids": 1, "text_tids": 1},
        id="text ids",
    ),
]


@pytest.mark.parametrize(("data", "repairs"), MENDED)
def test_what_perfetto_refuses_or_misreads_is_mended(
    data: bytes, repairs: dict[str, int], fix: Callable[..., Ran], folder: Path
) -> None:
    """It is counted under its name, the result is proved, and needs no mending any more."""
    ran = fix(data, "--verify", "--summary", "json")
    assert ran.code == 0, ran.err
    assert summary_of(ran)["repairs"] == repairs
    assert summary_of(ran)["verified"] is True
    assert ran.err.count("  mended   ") == len(repairs)
    json.loads((folder / "out.json").read_bytes())
    assert fix(data, "--check", output="other.json").code == FOUND
    again = fix((folder / "out.json").read_bytes(), name="again.json", output="twice.json")
    assert "Nothing to repair." in again.err
    assert (folder / "twice.json").read_bytes() == (folder / "out.json").read_bytes()


def test_arrows_with_ids_over_63_bits_join_what_they_joined(
    fix: Callable[..., Ran], folder: Path
) -> None:
    """Perfetto drops them as numbers, and would take long decimal text for one and the same id."""
    slices = [x_of(f"{name}{n}", tid=1 + (name == "to"), ts=ts) for n, name, ts in PAIRS]
    ends = [
        {"ph": ph, "bp": "e", "id": (1 << 63) + n, "name": "ac2g", "cat": "ac2g", **slice_of}
        for (n, name, _), ph, slice_of in zip(
            PAIRS,
            ["s", "f"] * 3,
            [{key: s[key] for key in ("pid", "tid", "ts")} for s in slices],
            strict=True,
        )
    ]
    assert fix(json.dumps([*slices, *ends]).encode(), "--verify").code == 0
    with loaded((folder / "out.json").read_bytes()) as tp:
        assert sorted(arrows(tp)) == [("from1", "to1"), ("from2", "to2"), ("from3", "to3")]


PAIRS = [(n, name, ts) for n in (1, 2, 3) for name, ts in (("from", 10 * n), ("to", 10 * n + 5))]


def x_of(name: str, *, tid: int, ts: int) -> dict[str, Any]:
    """A slice of 2 us."""
    return {"ph": "X", "name": name, "pid": 1, "tid": tid, "ts": ts, "dur": 2}


def test_every_repair_has_words() -> None:
    """Whatever is counted can be said in the terminal's summary."""
    sources = [ids.__file__, *(str(path) for path in Path(sanitize.__file__).parent.glob("*.py"))]
    texts = [Path(source).read_text() for source in sources]
    counted = {kind for text in texts for kind in re.findall(r'repairs\["(\w+)"\]', text)}
    kinds = {f"{kind}_{of}" for kind in ("text", "negative", "other") for of in ("pids", "tids")}
    assert counted > {"truncated_tail", "escapes", "zero_tids"}
    assert counted | kinds | {"durationless", "untimed"} <= set(REPAIRS)


# -- what was cut short --------------------------------------------------------------------------


def test_a_trace_cut_anywhere_gives_its_whole_events(fix: Callable[..., Ran], folder: Path) -> None:
    """At every byte behind the events' beginning; the loss is said, in bytes, and is no failure."""
    start = SOUND.index(b"[") + 1
    ends = [start + SOUND[start:].index(json.dumps(e, ensure_ascii=False).encode()) for e in EVENTS]
    ends = [
        at + len(json.dumps(e, ensure_ascii=False).encode())
        for at, e in zip(ends, EVENTS, strict=True)
    ]
    for size in range(start, len(SOUND)):
        verify = ["--verify"] if size % 8 == 0 else []
        ran = fix(SOUND[:size], "--force", "--quiet", "--summary", "json", *verify)
        assert ran.code == 0, ran.err
        found = json.loads((folder / "out.json").read_bytes())
        recorded = [event for event in found["traceEvents"] if event["ph"] != "M"]
        assert recorded == [e for e, end in zip(EVENTS, ends, strict=True) if end <= size]
        numbers = summary_of(ran)
        assert numbers["repairs"] == {"truncated_tail": 1}
        lost = numbers["lost_bytes"]
        left_out = {
            0: "was cut short behind its last whole event.",
            1: "was cut short: 1 byte behind its last whole event was left out.",
        }.get(lost, f"was cut short: {lost} bytes behind its last whole event were left out.")
        assert ran.err == f"tp-tools: warning: trace.json: {left_out}\n"


def test_a_packed_trace_cut_short_is_said_to_be(fix: Callable[..., Ran], folder: Path) -> None:
    """Also where all of the text is there and only the checksum is missing."""
    ran = fix(gzip.compress(SOUND)[:-4], "--summary", "json")
    assert ran.code == 0
    assert summary_of(ran)["repairs"] == {"truncated_tail": 1}
    assert summary_of(ran)["lost_bytes"] == 0
    assert "warning: trace.json: was cut short" in ran.err
    assert (folder / "out.json").read_bytes() == SOUND


def test_text_behind_a_trace_is_left_out_and_said(fix: Callable[..., Ran], folder: Path) -> None:
    """The rest of a longer file that was overwritten."""
    ran = fix(SOUND + b'\n{"x": 1}', "--summary", "json", "--quiet")
    assert ran.code == 0
    assert summary_of(ran)["repairs"] == {"trailing_text": 1}
    assert summary_of(ran)["lost_bytes"] == 8
    assert "trace.json: 8 bytes behind the end of the trace were left out" in ran.err
    assert (folder / "out.json").read_bytes() == SOUND


# -- what is refused -----------------------------------------------------------------------------

REFUSED = [
    (b"", "is empty. Was the profiler stopped before it wrote?"),
    (b" \n", "holds no text. Was the profiler stopped before it wrote?"),
    (gzip.compress(b"", mtime=0), "holds no text. Was the profiler stopped before it wrote?"),
    (b"\0" * 100, "holds no text. Was the profiler stopped before it wrote?"),
    (b"hello", "is not a Chrome JSON trace: it begins with b'h', at byte 0 of its text." + ADVICE),
    (
        b"SQLite format 3\0",
        (
            "its database is damaged (file is not a database). Copy it again, or export it again "
            "(nsys export --type sqlite REPORT.nsys-rep)."
        ),
    ),
    (b"null", "is not a Chrome JSON trace: it begins with b'n', at byte 0 of its text." + ADVICE),
    (b"{}", "has no traceEvents array: not a Chrome JSON trace." + ADVICE),
    (b'{"a":[{"ph":"X"}]}', "has no traceEvents array: not a Chrome JSON trace." + ADVICE),
    (
        b'{"schemaVersion": 1, "trace',
        "is cut short at byte 27 of its text, before its traceEvents.",
    ),
    (b'{"traceEvents":{}}', "its traceEvents is not an array."),
    (b"[]", "holds no events. Was the profiler stopped before it recorded?"),
    (b"[{}]", "holds no events. Was the profiler stopped before it recorded?"),
    (
        SOUND.replace(b'"distributedInfo": {"rank": 0}', b'"traceEvents": []'),
        "has two arrays named traceEvents. Give one trace.",
    ),
    (
        SOUND.replace(b'"schemaVersion"', b'"displayTimeUnit"'),
        "its displayTimeUnit is 1, not text: Perfetto refuses it.",
    ),
    (b"PK\x03\x04....", "is a zip archive. Unpack it, then give the trace in it."),
    (SOUND.decode().encode("utf-16"), "is UTF-16 text. Convert it: iconv -f UTF-16 -t UTF-8."),
    (SOUND.decode().encode("utf-16-le"), "is UTF-16 text. Convert it: iconv -f UTF-16 -t UTF-8."),
    (
        gzip.compress(SOUND, mtime=0) + b"more",
        "its gzip data is damaged (something else follows it). Copy the file again.",
    ),
    (
        b'{"traceEvents":[{"ph":"X","ts":"soon","dur":1}]}',
        'ts of event 0 is "soon", not a number of microseconds that fits 64 bits of nanoseconds.',
    ),
    (
        b'[{"ph":"X","ts":1,"args":' + b"[" * 9999 + b"]" * 9999 + b"}]",
        "behind byte 1 of its text an event is nested too deeply.",
    ),
]


@pytest.mark.parametrize(("data", "message"), REFUSED)
def test_what_cannot_be_used_is_refused_in_one_line(
    data: bytes, message: str, fix: Callable[..., Ran]
) -> None:
    """On stderr, with the file's name, and the exit code says that it is the input's fault."""
    ran = fix(data, "--verify")
    assert ran.err == f"tp-tools: trace.json: {message}\n"
    assert ran.code == INPUT
    assert ran.out == b""


@pytest.mark.parametrize(
    ("data", "kind", "byte"),
    [
        (wrapped(b"#"), "damaged_stretches", wrapped(b"#").index(b"#")),
        (wrapped(b'{"ph":#}'), "damaged_events", wrapped(b"#").index(b"#")),
        (wrapped(b'{"ph":"X" #"ts":1}'), "damaged_events", wrapped(b"#").index(b"#")),
        (wrapped(b'{"ph":"X"#,"ts":1}'), "damaged_events", wrapped(b"#").index(b"#")),
        (wrapped(b'{"ph":"X","ts":"soon"}'), "damaged_events", wrapped(b"#").index(b"#")),
        (
            wrapped(b'{"ph":"X","ts":1,"args":' + b"[" * 9999 + b"]" * 9999 + b"}"),
            "damaged_events",
            wrapped(b"#").index(b"#"),
        ),
        (wrapped()[:-2] + b'],"a":#}', "damaged_members", len(wrapped())),
        (wrapped()[:-2] + b'],#"a":1}', "damaged_members", len(wrapped())),
        (b'{"a":#,' + SOUND[1:], "damaged_members", 1),
    ],
)
@pytest.mark.parametrize("packing", ["plain", "gzip"])
def test_damage_is_left_out_and_named_by_its_byte(
    data: bytes, kind: str, byte: int, packing: str, fix: Callable[..., Ran]
) -> None:
    """The offset in the text, packed or not; the events around it are written as they were."""
    ran = fix(PACKED[packing](data), "--summary", "json", "--verify")
    assert ran.code == 0
    numbers = json.loads(ran.out)
    assert numbers["repairs"] == {kind: 1}
    assert [damage["byte"] for damage in numbers["damage"]] == [byte]
    assert numbers["kernels"] == len(EVENTS)


def test_a_trace_of_nothing_but_damage_is_refused(fix: Callable[..., Ran]) -> None:
    """The message names the first byte that is wrong."""
    ran = fix(b"[#]")
    assert ran.code == INPUT
    assert "trace.json: is damaged at byte 1 of its text: JSON is" in ran.err
    assert ran.err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["no.json"], INPUT, "no.json: no such file."),
        (["t.json", "u.json", "-o", "v.json"], INPUT, "u.json: no such file."),
        (["x" * 300], FAILED, f"{'x' * 300}.fixed.json.gz: cannot be written: File name too long."),
        (["-"], USAGE, "the trace comes from stdin: say with -o where the result goes."),
        (["t.json", "-o", "t.json"], USAGE, "t.json: exists. Give --force to replace it, or"),
        (["t.json", "-o", "work/t.json"], FAILED, "work/t.json: its folder does not exist."),
        (["t.json", "-o", "t.txt"], USAGE, "t.txt: the output's suffix must be one of .json,"),
        (["t.json", "-o", "d.json"], USAGE, "d.json: is a folder. Name a file in it."),
        (["t.json", "-o", "-", "--summary", "json"], USAGE, "both want stdout"),
        (["/proc/self/mem", "-o", "o.json"], INPUT, "/proc/self/mem: cannot be read: Input/output"),
        (["t.json", "-o", "/proc/o.json"], FAILED, "/proc/o.json: cannot be written: "),
    ],
)
def test_names_that_cannot_be_used_are_refused(
    arguments: list[str], code: int, message: str, tp_tools: TpTools, folder: Path
) -> None:
    """Each in its own words and with its own exit code; nothing appears."""
    (folder / "t.json").write_bytes(OVERLAP)
    (folder / "d.json").mkdir()
    ran = tp_tools("fix", *arguments)
    assert message in ran.err
    assert ran.err.startswith("tp-tools: ")
    assert ran.err.count("\n") <= 2
    assert ran.code == code
    assert files(folder) == {"t.json", "d.json"}
    assert not files(folder.parent / "temporary")


def test_debug_shows_where_an_error_comes_from(folder: Path) -> None:
    """A traceback for those who report a bug, only then."""
    (folder / "t.json").write_bytes(b"{}")
    command = [sys.executable, "-m", "tp_tools", "fix", "t.json"]
    quiet = subprocess.run(command, capture_output=True, text=True, check=False)
    loud = subprocess.run([*command, "--debug"], capture_output=True, text=True, check=False)
    assert "Traceback" not in quiet.stderr
    assert "Traceback" in loud.stderr
    assert "InputError: t.json: has no traceEvents array" in loud.stderr


# -- being stopped -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_being_stopped_leaves_nothing(number: int, code: int, folder: Path) -> None:
    """Also by a scheduler's SIGTERM, while standard input is still being kept in a file."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tp_tools", "fix", "-", "-o", "out.json"],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdin
    process.stdin.write(OVERLAP)
    process.stdin.flush()
    deadline = time.monotonic() + 60
    while not files(folder) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert files(folder)
    os.kill(process.pid, number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == code
    assert b"nothing was left behind" in said
    assert b"Traceback" not in said
    assert not files(folder)


def test_a_reader_that_leaves_is_no_error(folder: Path) -> None:
    """`tp-tools fix ... -o - | head` says nothing of broken pipes."""
    events = b",".join([b'{"ph":"i","s":"g","pid":1,"tid":1,"ts":1}'] * 400_000)
    (folder / "t.json").write_bytes(b"[" + events + b"]")
    command = '("$0" -m tp_tools fix t.json -q -o -; echo $? >code) | head -c 100'
    done = subprocess.run(
        ["/bin/sh", "-c", command, sys.executable], capture_output=True, check=True
    )
    assert len(done.stdout) == 100
    assert done.stderr == b""
    assert (folder / "code").read_text() == "141\n"
    assert not files(folder.parent / "temporary")


def test_a_full_disk_behind_stdout_is_an_error(folder: Path) -> None:
    """One line, exit 4, no traceback from the interpreter's own end either."""
    (folder / "t.json").write_bytes(OVERLAP)
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full")
    for arguments in (["-o", "-", "-q"], ["--check", "-q", "--summary", "json"]):
        with Path("/dev/full").open("wb") as full:
            done = subprocess.run(
                [sys.executable, "-m", "tp_tools", "fix", "t.json", *arguments],
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
                check=False,
            )
        assert done.returncode == FAILED
        assert "No space left on device" in done.stderr
        assert done.stderr.count("\n") == 1
