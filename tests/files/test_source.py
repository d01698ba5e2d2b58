"""Files as streams of text: plain, packed, damaged, cut short, from a pipe."""

import gzip
import io
import os
import random
import struct
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from tp_tools.errors import InputError
from tp_tools.files import source as module
from tp_tools.files.source import Source, open_source

TEXT = b"".join(b'{"event": %d, "x": "%d"},\n' % (i, i * i) for i in range(2000))


@pytest.fixture
def source_of(tmp_path: Path) -> Callable[[bytes], Source]:
    """Makes a source of these bytes on disk."""

    def make(data: bytes) -> Source:
        path = tmp_path / "trace"
        path.write_bytes(data)
        return Source(path, "trace.json")

    return make


def read(source: Source) -> bytes:
    """All of its text."""
    return b"".join(source.blocks())


def zst(data: bytes) -> bytes:
    """One zstd frame."""
    return zstandard.ZstdCompressor().compress(data)


def member(data: bytes, flags: int) -> bytes:
    """A gzip member with these optional parts in its header (RFC 1952)."""
    header = b"\x1f\x8b\x08" + bytes([flags]) + b"\0\0\0\0\0\xff"
    if flags & 4:
        header += struct.pack("<H", 3) + b"abc"
    if flags & 8:
        header += b"rank0.json\0"
    if flags & 16:
        header += b"a comment\0"
    if flags & 2:
        header += struct.pack("<H", zlib.crc32(header) & 0xFFFF)
    packer = zlib.compressobj(wbits=-15)
    packed = packer.compress(data) + packer.flush()
    return header + packed + struct.pack("<II", zlib.crc32(data), len(data))


SKIPPED = b"\x50\x2a\x4d\x18" + struct.pack("<I", 4) + b"size"

PACKED = {
    "plain": TEXT,
    "gzip": gzip.compress(TEXT),
    "gzip of two members": gzip.compress(TEXT[:1000]) + gzip.compress(TEXT[1000:]),
    "gzip with zeros between and behind": gzip.compress(TEXT[:99])
    + b"\0" * 700
    + gzip.compress(TEXT[99:])
    + b"\0" * 700,
    "gzip with an empty member": gzip.compress(b"", mtime=0)
    + gzip.compress(TEXT)
    + gzip.compress(b"", mtime=0),
    "gzip of many members": b"".join(
        gzip.compress(TEXT[i : i + 500]) for i in range(0, len(TEXT), 500)
    ),
    "zstd": zst(TEXT),
    "zstd of two frames": zst(TEXT[:1000]) + zst(TEXT[1000:]),
    "zstd by pzstd": SKIPPED + zst(TEXT[:1000]) + SKIPPED + zst(TEXT[1000:]) + SKIPPED,
}


@pytest.mark.parametrize("kind", PACKED)
@pytest.mark.parametrize("block", [4, 7, 64, 1 << 18])
def test_every_packing_gives_the_same_text(
    kind: str, block: int, source_of: Callable[[bytes], Source], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it is packed in, however many bytes come at a time, and again when read again."""
    monkeypatch.setattr(module, "BLOCK", block)
    source = source_of(PACKED[kind])
    assert read(source) == TEXT
    assert not source.truncated
    assert read(source) == TEXT


@pytest.mark.parametrize("flags", range(0, 32, 2))
def test_a_gzip_header_with_options_may_be_cut_anywhere(
    flags: int, source_of: Callable[[bytes], Source], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names, comments and checksums in the header of a later member do not confuse the reader."""
    source = source_of(member(TEXT[:5], flags) + member(TEXT[5:], flags))
    for block in range(4, 60):
        monkeypatch.setattr(module, "BLOCK", block)
        assert read(source) == TEXT


@pytest.mark.parametrize("kind", [kind for kind in PACKED if kind != "plain"])
def test_a_packed_file_cut_anywhere_gives_what_it_holds(
    kind: str, source_of: Callable[[bytes], Source]
) -> None:
    """No text is invented, none that can be unpacked is lost, and it is said that it was cut."""
    data = PACKED[kind].rstrip(b"\0")
    lengths = []
    for size in [*range(4, 200), *random.Random(1).sample(range(200, len(data)), 40)]:
        source = source_of(data[:size])
        try:
            text = read(source)
        except InputError as refusal:
            assert str(refusal).startswith("trace.json: holds no text")  # noqa: PT017
            text = b""
        assert TEXT.startswith(text)
        lengths.append(len(text))
        if "of" not in kind and "with" not in kind and "by" not in kind:
            assert source.truncated
    assert max(lengths) > 0 or kind == "zstd"  # whose block is longer than this text


def test_gzip_cut_in_its_checksum_is_said_to_be_cut(source_of: Callable[[bytes], Source]) -> None:
    """All the text is there, but nothing vouches for it."""
    source = source_of(gzip.compress(TEXT)[:-3])
    assert read(source) == TEXT
    assert source.truncated


def test_being_cut_is_forgotten_when_it_is_read_again(tmp_path: Path) -> None:
    """What counts is the last reading."""
    source = Source(tmp_path / "t", "t")
    source.path.write_bytes(gzip.compress(TEXT)[:-3])
    read(source)
    source.path.write_bytes(gzip.compress(TEXT))
    read(source)
    assert not source.truncated


CHECKED = zstandard.ZstdCompressor(write_checksum=True).compress(TEXT)
DAMAGED = gzip.compress(random.Random(7).randbytes(4000))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty. Was the profiler stopped before it wrote?"),
        (gzip.compress(b"", mtime=0), "holds no text. Was the profiler stopped before it wrote?"),
        (zst(b""), "holds no text. Was the profiler stopped before it wrote?"),
        (
            gzip.compress(TEXT, mtime=0)[:12],
            "holds no text. Was the profiler stopped before it wrote?",
        ),
        (b"PK\x03\x04rest", "is a zip archive. Unpack it, then give the trace in it."),
        ("{}".encode("utf-16"), "is UTF-16 text. Convert it: iconv -f UTF-16 -t UTF-8."),
        ("{}".encode("utf-16-be"), "is UTF-16 text. Convert it: iconv -f UTF-16 -t UTF-8."),
        ("[]".encode("utf-16-le"), "is UTF-16 text. Convert it: iconv -f UTF-16 -t UTF-8."),
        ("[]".encode("utf-32"), "is UTF-16 text. Convert it: iconv -f UTF-16 -t UTF-8."),
    ],
)
def test_what_is_no_text_is_refused_with_advice(
    data: bytes, message: str, source_of: Callable[[bytes], Source]
) -> None:
    """In one line that names the file."""
    with pytest.raises(InputError) as refusal:
        read(source_of(data))
    assert str(refusal.value) == f"trace.json: {message}"


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (DAMAGED[:2000] + b"\xff" * 50 + DAMAGED[2050:], "gzip"),
        (gzip.compress(TEXT)[:-8] + b"\0" * 8, "gzip"),
        (gzip.compress(TEXT) + b"garbage", "gzip"),
        (b"\x1f\x8b is no gzip at all", "gzip"),
        (CHECKED[:300] + b"\xff" * 50 + CHECKED[350:], "zstd"),
        (zst(TEXT) + b"garbage", "zstd"),
    ],
)
def test_damaged_packing_is_refused(
    data: bytes, kind: str, source_of: Callable[[bytes], Source]
) -> None:
    """Bits that were flipped, a wrong checksum, something behind the end."""
    with pytest.raises(
        InputError, match=rf"^trace\.json: its {kind} data is damaged \(.+\)\. Copy the"
    ):
        read(source_of(data))


def test_a_wide_zstd_window_is_no_damage(source_of: Callable[[bytes], Source]) -> None:
    """Files packed with zstd --long=31 are read."""
    wide = zstandard.ZstdCompressionParameters.from_level(3, window_log=30)
    packed = io.BytesIO()
    packer = zstandard.ZstdCompressor(compression_params=wide).stream_writer(packed, closefd=False)
    packer.write(TEXT)
    packer.flush(zstandard.FLUSH_FRAME)
    assert read(source_of(packed.getvalue())) == TEXT


def test_progress_counts_the_bytes_on_disk(
    source_of: Callable[[bytes], Source], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told as they are read, they sum up to the size of the file."""
    monkeypatch.setattr(module, "BLOCK", 100)
    seen: list[int] = []
    source = source_of(gzip.compress(TEXT))
    for _ in source.blocks(seen.append):
        pass
    assert sum(seen) == source.size() == len(gzip.compress(TEXT))
    assert max(seen) == 100


# -- where it comes from -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere.json", "nowhere.json: no such file."),
        ("nowhere/t.json", "nowhere/t.json: no such file."),
        ("", ": is a folder. Give one trace file."),
        (".", ".: is a folder. Give one trace file."),
        ("file/t.json", "file/t.json: cannot be read: Not a directory."),
        ("x" * 300, f"{'x' * 300}: cannot be read: File name too long."),
    ],
)
def test_a_name_that_leads_nowhere_is_refused(
    name: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each in its own words."""
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    with pytest.raises(InputError) as refusal, open_source(name):
        pass
    assert str(refusal.value) == message


def test_a_file_that_may_not_be_read_is_refused(
    source_of: Callable[[bytes], Source], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system's reason is given; no traceback."""

    def refused(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    source = source_of(TEXT)
    monkeypatch.setattr(Path, "open", refused)
    with pytest.raises(InputError, match=r"^trace\.json: cannot be read: Permission denied\.$"):
        read(source)


def test_a_file_that_fails_while_it_is_read_is_refused(
    source_of: Callable[[bytes], Source], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk or network error in the middle of the file is an error of the input."""

    class Failing(io.FileIO):
        def read(self, _size: int | None = -1, /) -> bytes:
            raise OSError(5, "Input/output error")

    source = source_of(TEXT)
    monkeypatch.setattr(Path, "open", lambda path, _: Failing(path))
    with pytest.raises(InputError, match=r"^trace\.json: cannot be read: Input/output error\.$"):
        read(source)


def test_a_pipe_can_be_read_twice(tmp_path: Path) -> None:
    """As bash's <(zcat trace.json.gz) gives one: it is kept until it is no longer needed."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=[TEXT])
    writer.start()
    with open_source(str(pipe)) as source:
        writer.join()
        assert source.name == str(pipe)
        assert (read(source), read(source)) == (TEXT, TEXT)
        assert source.size() == len(TEXT)
        spool = source.path
    assert not spool.exists()


PROGRAM = """
import sys
from tp_tools.files.source import open_source
from tp_tools.errors import InputError
try:
    with open_source("-") as source:
        for _ in range(2):
            print(source.name, len(b"".join(source.blocks())), source.path.exists())
    print(source.path.exists())
except InputError as error:
    print(error)
"""


def from_stdin(redirection: str, data: bytes = b"") -> str:
    """What the program above prints, run with this as its standard input."""
    command = f'"$0" -c "$1" {redirection}'
    done = subprocess.run(
        ["/bin/sh", "-c", command, sys.executable, PROGRAM],
        input=data,
        capture_output=True,
        check=True,
    )
    assert not done.stderr
    return done.stdout.decode()


def test_standard_input_can_be_read_twice_and_leaves_nothing() -> None:
    """It is kept in a temporary file, packed as it came, that is gone afterwards."""
    assert from_stdin("", gzip.compress(TEXT)) == f"- {len(TEXT)} True\n" * 2 + "False\n"


@pytest.mark.parametrize(
    ("redirection", "message"),
    [
        ("<&-", "-: standard input is closed.\n"),
        ("< /dev/null", "-: is empty. Was the profiler stopped before it wrote?\n"),
    ],
)
def test_unusable_standard_input_is_refused(redirection: str, message: str) -> None:
    """Closed, or nothing in it."""
    assert from_stdin(redirection) == message
