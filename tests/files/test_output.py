"""An output file appears whole or not at all."""

import gzip
import io
import os
import random
import resource
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
import zstandard

from tp_tools.cli.main import main
from tp_tools.errors import InputError, OutputError, UsageError
from tp_tools.files import output

DATA = [random.Random(5).randbytes(70_000), b"", b"x" * 200_000, b"end"]
WHOLE = b"".join(DATA)


def unzst(data: bytes) -> bytes:
    """Decompress a zstd frame."""
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
    """Run the test in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def files(folder: Path) -> set[str]:
    """Return the names of all files in the folder, hidden ones too."""
    return {path.name for path in folder.iterdir()}


# -- refused before any work --------------------------------------------------------------------


@pytest.mark.parametrize("name", [*UNPACK, "-"])
def test_known_suffixes_and_stdout_are_accepted(name: str) -> None:
    """Any name before a known suffix passes the check."""
    output.check(name, force=False)


@pytest.mark.parametrize(
    "name", ["t", "t.txt", "t.gz", "t.json.xz", "t.JSON", "json", "t.json/", ""]
)
def test_an_unknown_suffix_is_refused(name: str) -> None:
    """The format is not guessed."""
    if name == "t.json/":
        Path(name).mkdir()
    with pytest.raises(UsageError, match=r"suffix must be one of \.json|is a folder"):
        output.check(name, force=True)


def test_an_existing_file_is_refused_unless_forced() -> None:
    """The message names --force, and the file keeps its content."""
    Path("t.json").write_text("mine")
    with pytest.raises(UsageError, match=r"^t\.json: exists\. Give --force to replace it"):
        output.check("t.json", force=False)
    output.check("t.json", force=True)
    assert Path("t.json").read_text() == "mine"


def test_a_folder_is_refused_even_if_forced() -> None:
    """A folder is not replaced by a file."""
    Path("t.json").mkdir()
    with pytest.raises(UsageError, match="is a folder"):
        output.check("t.json", force=True)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("missing/t.json", "its folder does not exist. Create it first."),
        ("file/t.json", "its folder does not exist. Create it first."),
        (f"{'n' * 300}.json", "cannot be written: File name too long."),
    ],
)
def test_a_path_that_cannot_be_created_is_refused(name: str, reason: str) -> None:
    """The check comes before a long trace is read for nothing."""
    Path("file").touch()
    with pytest.raises(OutputError) as refusal:
        output.check(name, force=False)
    assert str(refusal.value) == f"{name}: {reason}"


def test_closed_stdout_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process started without stdout gets one clear line."""
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(OutputError, match="standard output is closed"):
        output.check("-", force=False)


def test_stdout_that_takes_text_alone_is_refused(tmp_path: Path) -> None:
    """A caller in Python who puts a StringIO there gets a line, before any work is done."""
    trace = tmp_path / "rank0.json"
    trace.write_text("[]")
    said = io.StringIO()
    with redirect_stderr(said), redirect_stdout(io.StringIO()), pytest.raises(SystemExit) as left:
        main(["fix", str(trace), "-o", "-"])
    assert left.value.code == OutputError.exit_code
    assert said.getvalue() == (
        "tp-tools: -: standard output takes text here, and no bytes. Name a file.\n"
    )


# -- writing -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", UNPACK)
def test_the_suffix_decides_the_compression(name: str, folder: Path) -> None:
    """All blocks are in the file, which is complete before it has its name."""
    with output.written(name, iter(DATA)) as path:
        assert UNPACK[name](path.read_bytes()) == WHOLE
        assert not Path(name).exists()
    assert UNPACK[name](Path(name).read_bytes()) == WHOLE
    assert files(folder) == {name}


@pytest.mark.parametrize("name", ["t.json.gz", "t.json.zst"])
def test_compressed_output_is_reproducible(name: str) -> None:
    """The file holds no time and no name, so equal results are equal files."""
    files = []
    for target in (name, f"other-{name}"):
        with output.written(target, iter(DATA)):
            pass
        files.append(Path(target).read_bytes())
    assert files[0] == files[1]


def test_no_blocks_make_a_valid_gzip_file() -> None:
    """The file decompresses to an empty text."""
    with output.written("t.json.gz", iter([])):
        pass
    assert gzip.decompress(Path("t.json.gz").read_bytes()) == b""


class BoomError(Exception):
    """An error outside the module."""


def failing(error: BaseException) -> Iterator[bytes]:
    """Yield blocks, then raise."""
    yield from DATA
    raise error


@pytest.mark.parametrize("name", ["t.json", "t.json.gz", "t.json.zst"])
@pytest.mark.parametrize(
    "error", [BoomError(), InputError("x"), KeyboardInterrupt(), SystemExit(143)]
)
def test_an_error_of_the_blocks_leaves_no_file(
    name: str, error: BaseException, folder: Path
) -> None:
    """The error is raised unchanged, and an existing file keeps its content."""
    Path(name).write_text("mine")
    with pytest.raises(type(error)), output.written(name, failing(error)):
        pass
    assert files(folder) == {name}
    assert Path(name).read_text() == "mine"


def test_an_error_in_the_with_block_leaves_no_file(folder: Path) -> None:
    """A failed verification removes the temporary file."""
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
def test_a_full_disk_leaves_no_file(name: str, folder: Path) -> None:
    """Writing that fails, also on the compressing thread, ends with one line and does not hang."""
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


def test_a_folder_removed_after_the_check_is_an_error() -> None:
    """Minutes may pass between the check and the writing."""
    with (
        pytest.raises(OutputError, match=r"^gone/t\.json: cannot be written: No such file"),
        output.written("gone/t.json", iter(DATA)),
    ):
        pass


def test_a_target_that_became_a_folder_is_an_error(folder: Path) -> None:
    """The finished file cannot be renamed, and the temporary file is removed."""
    with (
        pytest.raises(OutputError, match=r"Is a directory\. Nothing was left behind"),
        output.written("t.json", iter(DATA)),
    ):
        Path("t.json").mkdir()
    assert files(folder) == {"t.json"}


# -- permissions and links ----------------------------------------------------------------------


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_a_new_file_has_the_permissions_of_the_umask(mask: int, mode: int) -> None:
    """A temporary file is private; the finished one is not."""
    before = os.umask(mask)
    try:
        with output.written("t.json", iter(DATA)):
            pass
        assert os.umask(mask) == mask
    finally:
        os.umask(before)
    assert stat.S_IMODE(Path("t.json").stat().st_mode) == mode


def test_a_replaced_file_keeps_its_permissions() -> None:
    """A private file stays private."""
    Path("t.json").touch(mode=0o640)
    Path("t.json").chmod(0o640)
    with output.written("t.json", iter(DATA)):
        pass
    assert stat.S_IMODE(Path("t.json").stat().st_mode) == 0o640


def test_a_symbolic_link_stays_one(folder: Path) -> None:
    """The file that the link points to is replaced, through a temporary file in its folder."""
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


def test_stdout_gets_uncompressed_bytes() -> None:
    """The bytes come through, and the temporary file is removed."""
    done = subprocess.run([sys.executable, "-c", TO_STDOUT], capture_output=True, check=True)
    assert done.stdout == b"x" * 300_000 + b"end"
    assert not Path(done.stderr.decode().strip()).exists()


def test_stdout_gets_nothing_of_a_rejected_result(
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    """An error in the `with` block leaves stdout empty."""
    with pytest.raises(BoomError), output.written("-", iter(DATA)):
        raise BoomError
    assert capfdbinary.readouterr().out == b""


def test_a_closed_pipe_is_no_output_error() -> None:
    """`| head` closes the pipe; BrokenPipeError is raised unchanged."""
    program = TO_STDOUT.replace("300_000", "30_000_000")
    done = subprocess.run(
        ["/bin/sh", "-c", '"$0" -c "$1" | head -c 10', sys.executable, program],
        capture_output=True,
        check=True,
    )
    assert done.stdout == b"x" * 10
    assert b"BrokenPipeError" in done.stderr
    assert b"OutputError" not in done.stderr
