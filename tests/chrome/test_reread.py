"""A file read a second time: the same text in the same pieces, or an error."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.reporters import Recorder
from tp_tools.chrome import reread
from tp_tools.chrome.reader import read
from tp_tools.errors import InputError
from tp_tools.files import ReadSizes, Source
from tp_tools.trace.model import Trace
from tp_tools.writing.json.members import event_bounds

EVENTS = [
    {
        "ph": "X",
        "ts": ts,
        "dur": 1,
        "name": f"é{ts}" + "},{",
        "args": {"list": [{"a": ts}, {"b": 2}]},
    }
    for ts in range(60)
]
TEXT = json.dumps({"a": 1, "traceEvents": EVENTS, "b": 2}, ensure_ascii=False, indent=1).encode()

TEXTS = {
    "sound": TEXT,
    "array": TEXT[TEXT.index(b"[") : TEXT.rindex(b"]") + 1],
    "mark": b"\xef\xbb\xbf" + TEXT,
    "escapes": json.dumps({"traceEvents": EVENTS}).encode(),
    "not numbers": TEXT.replace(b'"a": 5\n', b'"a": NaN\n'),
    "first key": TEXT.replace(b'"a": 1', b'"meta": 1', 1),
    "thorough": TEXT.replace(b"},{", b"\t").replace(b'"a": 7\n', b'"a": nan\n'),
    "null": TEXT.replace(b'"traceEvents": [', b'"traceEvents": [null, '),
    "cut short": TEXT[: TEXT.index(b'"ts": 40')],
    "zeros": TEXT + b"\0" * 99,
    "text behind": TEXT + TEXT,
}


@pytest.fixture(params=[40, 300, 1 << 18])
def sizes(request: pytest.FixtureRequest) -> ReadSizes:
    """Sizes of blocks and batches, some so small that there are many."""
    return ReadSizes(request.param, request.param)


@pytest.fixture
def source_of(tmp_path: Path) -> Callable[[bytes], Source]:
    """Makes a source of these bytes on disk."""

    def make(data: bytes) -> Source:
        path = tmp_path / "trace"
        path.write_bytes(data)
        return Source(path, "trace.json")

    return make


def events_of(trace: Trace, file: Source) -> list[bytes]:
    """The text of each event, read again."""
    found = []
    for span, text in reread.batch_texts(file, trace):
        where = event_bounds(text, span.count)
        if where is None:
            raise reread.file_changed(file)
        found += [text[start:stop] for start, stop in zip(*where, strict=True)]
    return found


@pytest.mark.parametrize("kind", TEXTS)
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_the_same_pieces_come_again(
    kind: str,
    pack: Callable[[bytes], bytes],
    source_of: Callable[[bytes], Source],
    sizes: ReadSizes,
) -> None:
    """Mended as at the first time, each run as long as it was, each event where it stands."""
    file = source_of(pack(TEXTS[kind]))
    file.sizes = sizes
    trace = read(file)
    runs = list(reread.batch_texts(file, trace))
    assert [span for span, _ in runs] == trace.batches
    assert [len(text) for _, text in runs] == [span.length for span in trace.batches]
    whole = b"".join([trace.head.text, *(text for _, text in runs), trace.tail.text])
    assert len(json.loads(whole[whole.index(b"{") :]) if kind != "array" else json.loads(whole))
    texts = events_of(trace, file)
    assert len(texts) == len(trace)
    assert [json.loads(text).get("ts", -1) * 1000 for text in texts if text != b"{}"] == [
        ts for ts in trace.ts.tolist() if ts >= 0
    ]
    if kind in ("sound", "array"):
        assert whole == TEXTS[kind]


def test_progress_is_told(source_of: Callable[[bytes], Source]) -> None:
    """The bytes of the file are counted once more."""
    file = source_of(TEXT)
    recorder = Recorder()
    list(reread.batch_texts(file, read(file), recorder))
    assert sum(recorder.counted) == len(TEXT)


@pytest.mark.parametrize(
    "changed",
    [
        TEXT[:2000],
        TEXT[: len(TEXT) // 2],
        TEXT.replace(b'"ts": 3,', b'"ts": 333333,'),
        TEXT.replace(b'"ph": "X", ', b"", 1),
        b'{"traceEvents": [' + b" " * len(TEXT) + b"]}",
        b"x" * len(TEXT),
        TEXT.replace(b'"dur": 1', b'"dur": 2'),
    ],
)
def test_a_file_that_changed_meanwhile_is_refused(
    changed: bytes, source_of: Callable[[bytes], Source], sizes: ReadSizes
) -> None:
    """Edits that were planned for one file are not applied to another."""
    file = source_of(TEXT)
    file.sizes = sizes
    trace = read(file)
    file.path.write_bytes(changed)
    with pytest.raises(InputError, match=r"^trace\.json: changed while it was being read\."):
        events_of(trace, file)


def test_a_file_that_is_gone_is_refused(source_of: Callable[[bytes], Source]) -> None:
    """With the system's reason."""
    file = source_of(TEXT)
    trace = read(file)
    file.path.unlink()
    with pytest.raises(InputError, match=r"^trace\.json: cannot be read: No such file"):
        events_of(trace, file)
