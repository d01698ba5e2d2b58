"""Output that appears whole or not at all."""

import gzip
import os
import random
import resource
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zstandard

from tp_tools.errors import InputError, OutputError, UsageError
from tp_tools.files import output

DATA = [random.Random(5).randbytes(70_000), b"", b"x" * 200_000, b"end"]
WHOLE = b"".join(DATA)


def unzst(data: bytes) -> bytes:
    """All frames, unpacked."""
    return zstandard.ZstdDecompressor().decompressobj().decompress(data)


UNPACK: dict[str, Callable[[bytes], bytes]] = {
    "t.json": bytes,
    "t.json.gz": gzip.decompress,
    "t.json.zst": unzst,
    "t.pftrace": bytes,
    "t.pftrace.gz": gzip.decompress,
    "rank.0.of.8.json": bytes,
    "a.gz.json": bytes,
    f"{'n' * 240}.json.gz": gzip.decompress,
    f"a.{'n' * 240}.json": bytes,
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the test works."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def files(folder: Path) -> set[str]:
    """Everything in the folder, hidden files too."""
    return {path.name for path in folder.iterdir()}


# -- what is refused before any work -------------------------------------------------------------


@pytest.mark.parametrize("name", [*UNPACK, "-"])
def test_what_can_be_written_is_accepted(name: str) -> None:
    """The known suffixes behind any name, and stdout."""
    output.check(name, force=False)


@pytest.mark.parametrize(
    "name", ["t", "t.txt", "t.gz", "t.json.xz", "t.JSON", "json", "t.json/", ""]
)
def test_a_suffix_that_says_nothing_is_refused(name: str) -> None:
    """No guess at what is wanted."""
    if name == "t.json/":
        Path(name).mkdir()
    with pytest.raises(UsageError, match=r"suffix must be one of \.json|is a folder"):
        output.check(name, force=True)


def test_an_existing_file_is_refused_unless_forced() -> None:
    """With advice, and it stays as it was."""
    Path("t.json").write_text("mine")
    with pytest.raises(UsageError, match=r"^t\.json: exists\. Give --force to replace it"):
        output.check("t.json", force=False)
    output.check("t.json", force=True)
    assert Path("t.json").read_text() == "mine"


def test_a_folder_is_refused_even_if_forced() -> None:
    """Its files are not replaced by one."""
    Path("t.json").mkdir()
    with pytest.raises(UsageError, match="is a folder"):
        output.check("t.json", force=True)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("missing/t.json", "its folder does not exist. Create it first."),
        ("file/t.json", "its folder does not exist. Create it first."),
        (f"{'n' * 300}.json", "cannot be written: File name too long."),
    ],
)
def test_a_place_that_does_not_exist_is_refused(name: str, why: str) -> None:
    """Before a long trace is read for nothing."""
    Path("file").touch()
    with pytest.raises(OutputError) as refusal:
        output.check(name, force=False)
    assert str(refusal.value) == f"{name}: {why}"


def test_closed_stdout_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is nowhere to write to."""
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(OutputError, match="standard output is closed"):
        output.check("-", force=False)


# -- writing -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", UNPACK)
def test_the_suffix_decides_how_it_is_packed(name: str, folder: Path) -> None:
    """All blocks in order, and no other file; the finished file is given before it is in place."""
    with output.written(name, iter(DATA)) as path:
        assert UNPACK[name](path.read_bytes()) == WHOLE
        assert not Path(name).exists()
    assert UNPACK[name](Path(name).read_bytes()) == WHOLE
    assert files(folder) == {name}


@pytest.mark.parametrize("name", ["t.json.gz", "t.json.zst"])
def test_packed_output_is_the_same_every_time(name: str) -> None:
    """No time and no name is in it, so that equal results are equal files."""
    written = []
    for target in (name, f"other-{name}"):
        with output.written(target, iter(DATA)):
            pass
        written.append(Path(target).read_bytes())
    assert written[0] == written[1]


def test_nothing_at_all_is_a_valid_file() -> None:
    """Of no block comes an empty packed file, not an empty file."""
    with output.written("t.json.gz", iter([])):
        pass
    assert gzip.decompress(Path("t.json.gz").read_bytes()) == b""


class BoomError(Exception):
    """Something that went wrong elsewhere."""


def failing(error: BaseException) -> Iterator[bytes]:
    """Blocks that end in an error."""
    yield from DATA
    raise error


@pytest.mark.parametrize("name", ["t.json", "t.json.gz", "t.json.zst"])
@pytest.mark.parametrize(
    "error", [BoomError(), InputError("x"), KeyboardInterrupt(), SystemExit(143)]
)
def test_a_failure_while_blocks_are_made_leaves_nothing(
    name: str, error: BaseException, folder: Path
) -> None:
    """The error comes through as it is; an existing file keeps its content."""
    Path(name).write_text("mine")
    with pytest.raises(type(error)), output.written(name, failing(error)):
        pass
    assert files(folder) == {name}
    assert Path(name).read_text() == "mine"


def test_a_result_that_is_rejected_is_not_kept(folder: Path) -> None:
    """An error in the caller's block, such as a failed verification, removes the file."""
    with pytest.raises(BoomError), output.written("t.json", iter(DATA)):
        raise BoomError
    assert not files(folder)


FULL_DISK = """
import sys
from tp_tools.files import output
from tp_tools.errors import OutputError
import os
try:
    with output.written(sys.argv[1], (os.urandom(50_000) for _ in range(100))):
        print("given")
except OutputError as error:
    print(error)
"""


@pytest.mark.parametrize("name", ["t.json", "t.json.gz", "t.json.zst"])
def test_a_full_disk_leaves_nothing(name: str, folder: Path) -> None:
    """Wherever the writing stops, also on the thread that packs: one line, no file, no hang."""
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, name],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (10**6, 10**6)),
    )
    assert done.stdout == f"{name}: cannot be written: File too large. Nothing was left behind.\n"
    assert done.stderr == ""
    assert not files(folder)


def test_a_folder_that_vanished_is_an_error() -> None:
    """Between the check and the writing, which may be minutes."""
    with (
        pytest.raises(OutputError, match=r"^gone/t\.json: cannot be written: No such file"),
        output.written("gone/t.json", iter(DATA)),
    ):
        pass


def test_a_target_that_became_a_folder_is_an_error(folder: Path) -> None:
    """The finished file cannot go there, and does not stay beside it either."""
    with (
        pytest.raises(OutputError, match=r"Is a directory\. Nothing was left behind"),
        output.written("t.json", iter(DATA)),
    ):
        Path("t.json").mkdir()
    assert files(folder) == {"t.json"}


# -- whose file it is ----------------------------------------------------------------------------


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_a_new_file_has_the_usual_permissions(mask: int, mode: int) -> None:
    """Those of the umask, not the temporary file's own: colleagues can read it."""
    before = os.umask(mask)
    try:
        with output.written("t.json", iter(DATA)):
            pass
        assert os.umask(mask) == mask
    finally:
        os.umask(before)
    assert stat.S_IMODE(Path("t.json").stat().st_mode) == mode


def test_a_replaced_file_keeps_its_permissions() -> None:
    """What was private stays private."""
    Path("t.json").touch(mode=0o640)
    Path("t.json").chmod(0o640)
    with output.written("t.json", iter(DATA)):
        pass
    assert stat.S_IMODE(Path("t.json").stat().st_mode) == 0o640


def test_a_symbolic_link_stays_one(folder: Path) -> None:
    """What it points to is replaced, in its own folder."""
    (folder / "scratch").mkdir()
    Path("scratch/real.json").write_text("old")
    Path("t.json").symlink_to("scratch/real.json")
    with output.written("t.json", iter(DATA)) as path:
        assert path.parent == (folder / "scratch").resolve()
    assert Path("t.json").is_symlink()
    assert Path("scratch/real.json").read_bytes() == WHOLE
    assert files(folder / "scratch") == {"real.json"}


# -- stdout --------------------------------------------------------------------------------------

TO_STDOUT = """
import sys
from tp_tools.files import output
with output.written("-", [b"x" * 300_000, b"end"]) as path:
    print(path, file=sys.stderr)
"""


def test_stdout_gets_plain_bytes_and_no_file_stays() -> None:
    """Not packed: what reads it decides."""
    done = subprocess.run([sys.executable, "-c", TO_STDOUT], capture_output=True, check=True)
    assert done.stdout == b"x" * 300_000 + b"end"
    assert not Path(done.stderr.decode().strip()).exists()


def test_stdout_gets_nothing_of_a_rejected_result(
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    """A reader downstream never sees part of a result."""
    with pytest.raises(BoomError), output.written("-", iter(DATA)):
        raise BoomError
    assert capfdbinary.readouterr().out == b""


def test_a_reader_that_left_is_told_apart_from_an_error() -> None:
    """`| head` closes the pipe: that is no failure to write."""
    program = TO_STDOUT.replace("300_000", "30_000_000")
    done = subprocess.run(
        ["/bin/sh", "-c", '"$0" -c "$1" | head -c 10', sys.executable, program],
        capture_output=True,
        check=True,
    )
    assert done.stdout == b"x" * 10
    assert b"BrokenPipeError" in done.stderr
    assert b"OutputError" not in done.stderr
