"""Trace files are read as text: plain, compressed, damaged, truncated, from a pipe."""

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

from tests.support.reporters import Recorder
from tp_tools.errors import InputError
from tp_tools.files.opening import open_source
from tp_tools.files.source import ReadSizes, Source, disk_size

TEXT = b"".join(b'{"event": %d, "x": "%d"},\n' % (i, i * i) for i in range(2000))


@pytest.fixture
def source_of(tmp_path: Path) -> Callable[[bytes], Source]:
    """Return a function that writes bytes to disk and returns their source."""

    def make(data: bytes) -> Source:
        path = tmp_path / "trace"
        path.write_bytes(data)
        return Source(path, "trace.json")

    return make


def read(source: Source) -> bytes:
    """Read all of its text."""
    return b"".join(source.blocks())


def zst(data: bytes) -> bytes:
    """Compress data into one zstd frame."""
    return zstandard.ZstdCompressor().compress(data)


def member(data: bytes, flags: int) -> bytes:
    """Make a gzip member with the optional header fields of these flags (RFC 1952)."""
    header = b"\x1f\x8b\x08" + bytes([flags]) + b"\0\0\0\0\0\xff"
    if flags & 4:
        header += struct.pack("<H", 3) + b"abc"
    if flags & 8:
        header += b"rank0.json\0"
    if flags & 16:
        header += b"a comment\0"
    if flags & 2:
        header += struct.pack("<H", zlib.crc32(header) & 0xFFFF)
    compressor = zlib.compressobj(wbits=-15)
    body = compressor.compress(data) + compressor.flush()
    return header + body + struct.pack("<II", zlib.crc32(data), len(data))


SKIPPABLE_FRAME = b"\x50\x2a\x4d\x18" + struct.pack("<I", 4) + b"size"

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
    "zstd by pzstd": SKIPPABLE_FRAME
    + zst(TEXT[:1000])
    + SKIPPABLE_FRAME
    + zst(TEXT[1000:])
    + SKIPPABLE_FRAME,
}


@pytest.mark.parametrize("kind", PACKED)
@pytest.mark.parametrize("block", [4, 7, 64, 1 << 18])
def test_every_format_gives_the_same_text(
    kind: str, block: int, source_of: Callable[[bytes], Source]
) -> None:
    """The text does not depend on the format, the block size or a second read."""
    source = source_of(PACKED[kind])
    source.sizes = ReadSizes(block)
    assert read(source) == TEXT
    assert not source.truncated
    assert read(source) == TEXT


@pytest.mark.parametrize("flags", range(0, 32, 2))
def test_a_gzip_header_with_options_may_be_cut_anywhere(
    flags: int, source_of: Callable[[bytes], Source]
) -> None:
    """Names, comments and checksums in the header of a later member are skipped."""
    source = source_of(member(TEXT[:5], flags) + member(TEXT[5:], flags))
    for block in range(4, 60):
        source.sizes = ReadSizes(block)
        assert read(source) == TEXT


@pytest.mark.parametrize("kind", [kind for kind in PACKED if kind != "plain"])
def test_a_truncated_file_gives_the_text_that_it_holds(
    kind: str, source_of: Callable[[bytes], Source]
) -> None:
    """The text is a prefix of the whole, and the source is marked as truncated."""
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
    assert max(lengths) > 0 or kind == "zstd"  # a zstd block is longer than this text


def test_gzip_cut_in_its_checksum_is_truncated(source_of: Callable[[bytes], Source]) -> None:
    """All text is read, but its checksum is missing."""
    source = source_of(gzip.compress(TEXT)[:-3])
    assert read(source) == TEXT
    assert source.truncated


def test_truncated_describes_the_last_read(tmp_path: Path) -> None:
    """A complete file clears the flag."""
    source = Source(tmp_path / "t", "t")
    source.path.write_bytes(gzip.compress(TEXT)[:-3])
    read(source)
    source.path.write_bytes(gzip.compress(TEXT))
    read(source)
    assert not source.truncated


CHECKSUMMED = zstandard.ZstdCompressor(write_checksum=True).compress(TEXT)
DAMAGED = gzip.compress(random.Random(7).randbytes(4000), mtime=0)


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
def test_files_without_text_are_refused_with_advice(
    data: bytes, message: str, source_of: Callable[[bytes], Source]
) -> None:
    """The message is one line that names the file."""
    with pytest.raises(InputError) as refusal:
        read(source_of(data))
    assert str(refusal.value) == f"trace.json: {message}"


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (DAMAGED[:2000] + b"\xff" * 50 + DAMAGED[2050:], "gzip"),
        (gzip.compress(TEXT, mtime=0)[:-8] + b"\0" * 8, "gzip"),
        (gzip.compress(TEXT, mtime=0) + b"garbage", "gzip"),
        (b"\x1f\x8b is no gzip at all", "gzip"),
        (CHECKSUMMED[:300] + b"\xff" * 50 + CHECKSUMMED[350:], "zstd"),
        (zst(TEXT) + b"garbage", "zstd"),
    ],
)
def test_damaged_compressed_data_is_refused(
    data: bytes, kind: str, source_of: Callable[[bytes], Source]
) -> None:
    """Changed bytes, a wrong checksum and data behind the end are errors."""
    with pytest.raises(
        InputError, match=rf"^trace\.json: its {kind} data is damaged \(.+\)\. Copy the"
    ):
        read(source_of(data))


def test_a_wide_zstd_window_is_read(source_of: Callable[[bytes], Source]) -> None:
    """Files compressed with zstd --long=31 are not refused."""
    wide = zstandard.ZstdCompressionParameters.from_level(3, window_log=30)
    file = io.BytesIO()
    compressor = zstandard.ZstdCompressor(compression_params=wide)
    writer = compressor.stream_writer(file, closefd=False)
    writer.write(TEXT)
    writer.flush(zstandard.FLUSH_FRAME)
    assert read(source_of(file.getvalue())) == TEXT


def test_the_size_of_files_is_that_on_disk(tmp_path: Path) -> None:
    """Files of 3 and 4 bytes have 7, beside one that is not there."""
    for name, text in (("a", b"abc"), ("b", b"abcd")):
        (tmp_path / name).write_bytes(text)
    assert disk_size(str(tmp_path / name) for name in "abc") == 7


def test_progress_counts_the_bytes_on_disk(
    source_of: Callable[[bytes], Source],
) -> None:
    """The bytes of all blocks add up to the size of the file."""
    recorder = Recorder()
    source = source_of(gzip.compress(TEXT))
    source.sizes = ReadSizes(100)
    for _ in source.blocks(recorder):
        pass
    assert sum(recorder.counted) == source.size() == len(gzip.compress(TEXT))
    assert max(recorder.counted) == 100


# -- paths, pipes, standard input ----------------------------------------------------------------


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
def test_a_path_that_is_no_file_is_refused(
    name: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each reason has a message of its own."""
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    with pytest.raises(InputError) as refusal, open_source(name):
        pass
    assert str(refusal.value) == message


def test_a_file_without_read_permission_is_refused(
    source_of: Callable[[bytes], Source], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message gives the system's reason."""

    def deny(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    source = source_of(TEXT)
    monkeypatch.setattr(Path, "open", deny)
    with pytest.raises(InputError, match=r"^trace\.json: cannot be read: Permission denied\.$"):
        read(source)


def test_a_read_error_is_an_input_error(
    source_of: Callable[[bytes], Source], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk or network error in the middle of the file is reported with its reason."""

    class Failing(io.FileIO):
        def read(self, _size: int | None = -1, /) -> bytes:
            raise OSError(5, "Input/output error")

    source = source_of(TEXT)
    monkeypatch.setattr(Path, "open", lambda path, _: Failing(path))
    with pytest.raises(InputError, match=r"^trace\.json: cannot be read: Input/output error\.$"):
        read(source)


def test_a_pipe_can_be_read_twice(tmp_path: Path) -> None:
    """A pipe, such as bash's <(zcat trace.json.gz), is copied to a file until the block ends."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=[TEXT])
    writer.start()
    with open_source(str(pipe)) as source:
        writer.join()
        assert source.name == str(pipe)
        assert (read(source), read(source)) == (TEXT, TEXT)
        assert source.size() == len(TEXT)
        copy = source.path
    assert not copy.exists()


PROGRAM = """
import sys
from tp_tools.files.opening import open_source
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
    """Run the program above with this standard input; return its output."""
    command = f'"$0" -c "$1" {redirection}'
    done = subprocess.run(
        ["/bin/sh", "-c", command, sys.executable, PROGRAM],
        input=data,
        capture_output=True,
        check=True,
    )
    assert not done.stderr
    return done.stdout.decode()


def test_standard_input_can_be_read_twice() -> None:
    """Its copy, compressed as it came, is removed at the end of the block."""
    assert from_stdin("", gzip.compress(TEXT)) == f"- {len(TEXT)} True\n" * 2 + "False\n"


@pytest.mark.parametrize(
    ("redirection", "message"),
    [
        ("<&-", "-: standard input is closed.\n"),
        ("< /dev/null", "-: is empty. Was the profiler stopped before it wrote?\n"),
    ],
)
def test_unusable_standard_input_is_refused(redirection: str, message: str) -> None:
    """Closed and empty input have a message each."""
    assert from_stdin(redirection) == message


def test_a_zstd_bomb_comes_in_blocks(source_of: Callable[[bytes], Source]) -> None:
    """No block is longer than what the bytes that are taken at a time may stand for."""
    source = source_of(zst(bytes(16 << 20)))
    source.sizes = ReadSizes(zstd=64)
    lengths = [len(block) for block in source.blocks()]
    assert sum(lengths) == 16 << 20
    assert max(lengths) <= 64 // 4 * (128 << 10)
