"""A machine that lacks something: a limit, a home, a locale, rights; a pipe that is slow."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tp_tools.engine.cache import cache_folder

FIXTURES = Path(__file__).parents[2] / "fixtures"
PROGRAM = Path(sys.executable).parent / "tp-tools"
UNUSABLE, FAILED = 3, 4

LIMITS = {
    "address space": (resource.RLIMIT_AS, 1 << 30, FAILED),
    "file size": (resource.RLIMIT_FSIZE, 4096, FAILED),
    "open files": (resource.RLIMIT_NOFILE, 20, 0),
    "stack": (resource.RLIMIT_STACK, 256 << 10, 0),
}


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A trace and the ranks of a job, in the current folder."""
    shutil.copy(FIXTURES / "pdl_decode.json.gz", tmp_path / "a.json.gz")
    shutil.copytree(FIXTURES / "gloo4", tmp_path / "job")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path))


def left() -> set[str]:
    """Return the files that were not there before."""
    return {path.name for path in Path().iterdir()} - {"a.json.gz", "job"}


def run(*words: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command, with other variables."""
    given = {**os.environ, **(environment or {})}
    return subprocess.run([PROGRAM, *words], capture_output=True, text=True, check=False, env=given)


@pytest.mark.parametrize("words", [("fix", "a.json.gz"), ("merge", "job", "-j", "2")])
@pytest.mark.parametrize("limit", LIMITS)
def test_limits_of_the_shell(limit: str, words: tuple[str, ...]) -> None:
    """`ulimit -v`, -f, -n, -s: the whole output, or one line, exit code 4 and nothing left."""
    number, value, code = LIMITS[limit]
    done = subprocess.run(
        [PROGRAM, *words, "-q", "-o", "o.json"],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(number, (value, value)),
    )
    assert (done.returncode, len(done.stderr.splitlines())) in {(0, 0), (code, 1)}, done.stderr
    assert "does not know" not in done.stderr
    assert left() == (set() if done.returncode else {"o.json"})


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What `fix` makes of the trace as a rule."""
    out = tmp_path_factory.mktemp("plain") / "plain.json"
    trace = FIXTURES / "pdl_decode.json.gz"
    subprocess.run([PROGRAM, "fix", trace, "-q", "-o", out], check=True)
    written: bytes = out.read_bytes()
    return written


@pytest.mark.parametrize(
    "environment",
    [
        {"HOME": "/nonexistent"},
        {"HOME": "", "XDG_CACHE_HOME": "/proc"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"PYTHONIOENCODING": "ascii"},
        {"LC_ALL": "tr_TR.UTF-8"},
    ],
    ids=str,
)
def test_another_environment(environment: dict[str, str], plain: bytes, tmp_path: Path) -> None:
    """No home, a cache that cannot be written, another locale: the same bytes, and lines."""
    kept = cache_folder()
    assert kept is not None
    beside = tmp_path / f"tp-tools-{os.getuid()}"  # the last resort; compiling takes seconds
    beside.mkdir(mode=0o700)
    for file in (*kept.glob("*.cwasm"), *kept.glob("*.memory")):
        (beside / file.name).symlink_to(file)
    done = run("fix", "a.json.gz", "--verify", "-o", "o.json", environment=environment)
    assert (done.returncode, "verified" in done.stderr) == (0, True), done.stderr
    assert Path("o.json").read_bytes() == plain
    assert run("info", "job", environment=environment).returncode == 0


AS_NOBODY = ("unshare", "-U")
"""A user without a name, who has the rights of the owner of files and none beyond."""


def as_nobody(*words: str) -> subprocess.CompletedProcess[str]:
    """Run a command as another user, or as one in a name space of users of its own."""
    if subprocess.run([*AS_NOBODY, "true"], check=False, capture_output=True).returncode:
        pytest.skip("this machine gives nobody a name space of users")
    return subprocess.run(
        [*AS_NOBODY, PROGRAM, *words], capture_output=True, text=True, check=False
    )


def test_a_user_without_a_name(plain: bytes) -> None:
    """Who is not root, nor in the list of users: the same bytes."""
    done = as_nobody("fix", "a.json.gz", "-q", "--verify", "-o", "o.json")
    assert (done.returncode, done.stderr) == (0, "")
    assert Path("o.json").read_bytes() == plain


def test_a_folder_that_may_not_be_written_to(tmp_path: Path) -> None:
    """One line before any work, and nothing left."""
    tmp_path.chmod(0o555)
    done = as_nobody("fix", "a.json.gz", "-o", "o.json")
    assert (done.returncode, left()) == (FAILED, set())
    assert (
        done.stderr == "tp-tools: o.json: its folder may not be written to. Name another with -o.\n"
    )


def test_a_file_that_may_not_be_read() -> None:
    """The file and the reason, and nothing left."""
    Path("a.json.gz").chmod(0)
    done = as_nobody("fix", "a.json.gz", "-o", "o.json")
    assert (done.returncode, left()) == (UNUSABLE, set())
    assert done.stderr == "tp-tools: a.json.gz: cannot be read: Permission denied.\n"


def test_a_limit_of_a_control_group() -> None:
    """The whole output, or one line and exit code 4: the system never has to kill the command."""
    group = ["systemd-run", "--quiet", "--scope", "-p", "MemoryMax=300M", "-p", "MemorySwapMax=0"]
    if (
        not shutil.which(group[0])
        or subprocess.run([*group, "true"], check=False, capture_output=True).returncode
    ):
        pytest.skip("no systemd here that makes control groups")
    done = subprocess.run(
        [*group, PROGRAM, "fix", "a.json.gz", "-q", "--verify", "-o", "o.json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, len(done.stderr.splitlines())) in {(0, 0), (FAILED, 1)}, done.stderr


def test_a_slow_pipe() -> None:
    """A writer that pauses amid the text is waited for."""
    data = (FIXTURES / "pdl_decode.json.gz").read_bytes()
    with subprocess.Popen(
        [PROGRAM, "fix", "-", "-q", "-o", "o.json"], stdin=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        for start in range(0, len(data), 2000):
            process.stdin.write(data[start : start + 2000])
            process.stdin.flush()
            time.sleep(0.05)
        process.stdin.close()
        assert process.wait() == 0
    assert json.loads(Path("o.json").read_text())["traceEvents"]


def test_a_file_that_grows_is_read_as_it_was_or_refused(tmp_path: Path) -> None:
    """A profiler that still writes: either way nothing is half-written."""
    text = b'{"traceEvents":[' + b",".join(
        b'{"ph":"X","name":"a","pid":1,"tid":1,"ts":%d,"dur":1}' % i for i in range(200_000)
    )
    path = tmp_path / "grows.json"
    path.write_bytes(text[: len(text) // 2])
    process = subprocess.Popen(
        [PROGRAM, "fix", path.name, "-q", "-o", "o.json"], stderr=subprocess.PIPE, text=True
    )
    with path.open("ab") as file:
        for start in range(len(text) // 2, len(text), 100_000):
            file.write(text[start : start + 100_000])
            file.flush()
            time.sleep(0.02)
        file.write(b"]}")
    _, said = process.communicate()
    assert "does not know" not in said
    path.unlink()
    if process.returncode:
        assert (process.returncode, left()) == (3, set())
    else:
        assert json.loads(Path("o.json").read_text())["traceEvents"]


PLAIN = """
import threading, sys
sys.path[:0] = [{root!r}]
import tp_tools
print("script", flush=True)
before = threading.active_count()
{body}
"""


def script(body: str) -> str:
    """Run a script without a `__main__` guard that uses the library; return what it printed."""
    path = Path("script.py")
    path.write_text(PLAIN.format(root=str(Path(__file__).parents[2]), body=body))
    done = subprocess.run([sys.executable, path.name], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_script_without_a_guard_runs_once() -> None:
    """Workers import neither the script nor run it again."""
    said = script(
        "from tp_tools.cli.main import main\n"
        'main(["merge", "job", "-q", "-o", "o.json", "-j", "2"])\n'
        'print("merged")'
    )
    assert said.split() == ["script", "merged"]


def test_threads_of_the_caller_may_ask_at_once() -> None:
    """Four threads, each with a trace: the same rows in each."""
    said = script(
        "from concurrent.futures import ThreadPoolExecutor\n"
        'ask = lambda _: tp_tools.query("kernels", "a.json.gz").to_csv()\n'
        "with ThreadPoolExecutor(4) as pool:\n"
        "    print(len(set(pool.map(ask, range(4)))))"
    )
    assert said.split() == ["script", "1"]


def test_a_fork_of_the_caller_may_ask() -> None:
    """After the parent asked, a forked child asks too, and both get the same."""
    said = script(
        'first = len(tp_tools.query("kernels", "a.json.gz"))\n'
        "import os\n"
        "pid = os.fork()\n"
        'same = len(tp_tools.query("kernels", "a.json.gz")) == first\n'
        "if not pid:\n    os._exit(0 if same else 1)\n"
        "print(same, os.waitpid(pid, 0)[1])"
    )
    assert said.split() == ["script", "True", "0"]
