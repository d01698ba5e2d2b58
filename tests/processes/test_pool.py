"""A pool gives the results of calls in their order, whoever does them, and leaves no process."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.helping import Slow, here, kill_one
from tests.support.strategies import PURE
from tp_tools.errors import EngineError, InputError, TpToolsError
from tp_tools.files.sources import source_of
from tp_tools.merging import read_rank
from tp_tools.processes import local
from tp_tools.processes.local import open_pool
from tp_tools.processes.pool import ALONE, LOST, Pool
from tp_tools.processes.worker import TextCall

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tp_tools.processes.worker import Call

WORKERS = st.lists(st.tuples(st.integers(1, 5), st.none() | st.integers(0, 4)), max_size=4)


def numbered(number: int, text: bytes) -> tuple[int, bytes]:
    """Some work."""
    return number, text.upper()


def batches(count: int) -> Iterator[Call[tuple[int, bytes]]]:
    """Some calls."""
    return (TextCall(partial(numbered, i), b"batch%d" % i) for i in range(count))


def expected(count: int) -> list[tuple[int, bytes]]:
    """Their results."""
    return [(i, b"BATCH%d" % i) for i in range(count)]


@PURE
@given(st.integers(0, 30), WORKERS, st.integers(1, 4), st.booleans())
def test_results_are_in_the_order_of_the_calls(
    count: int, workers: list[tuple[int, int | None]], ahead: int, helps: bool
) -> None:
    """However slow each worker is, and whether it is killed on the way."""
    pool = Pool([Slow(*worker) for worker in workers], ahead, helps)
    assert list(pool.map_ordered(batches(count))) == expected(count)


@pytest.mark.parametrize("taken", range(6))
def test_results_that_nobody_takes_are_not_taken_for_others(taken: int) -> None:
    """Workers may have tasks in hand when an iteration is given up."""
    pool = here(3)
    results = pool.map_ordered(batches(9))
    for _ in range(taken):
        next(results)
    results.close()
    assert list(pool.map_ordered([partial(bytes.upper, b"b")] * 4)) == [b"B"] * 4


def test_an_error_among_the_calls_leaves_a_pool_that_works() -> None:
    """Where the calls themselves end in an error."""

    def calls() -> Iterator[Call[bytes]]:
        yield partial(bytes.upper, b"a")
        yield partial(bytes.upper, b"a")
        raise KeyError

    pool = here(2)
    with pytest.raises(KeyError):
        list(pool.map_ordered(calls()))
    assert list(pool.map_ordered([partial(bytes.upper, b"b")])) == [b"B"]


def test_a_worker_gets_the_first_calls_and_this_process_the_others() -> None:
    """A worker gets as many calls as it may have in hand, this process the others."""
    worker = Slow(10**9)
    done: list[int] = []
    results = Pool([worker], ahead=4).map_ordered(partial(done.append, i) for i in range(9))
    next(results)
    assert done[:5] == [4, 5, 6, 7, 8]


def test_a_worker_that_has_yet_to_take_a_call_gets_no_other() -> None:
    """This process does the call, rather than wait; where it does not help, it has to."""

    class Full(Slow):
        def has_room(self) -> bool:
            return False

    for helps, tasks in ((True, 0), (False, 1)):
        worker = Full(10**9)
        next(Pool([worker], 4, helps).map_ordered(batches(2)))
        assert len(worker.tasks) == tasks


@pytest.mark.usefixtures("_both")
def test_a_worker_has_room_once_it_has_read_its_calls() -> None:
    """A process that was halted reads nothing."""
    with open_pool(1) as pool:
        worker = pool.workers[0]
        assert list(pool.map_ordered(batches(1))) == expected(1)
        assert worker.has_room()
        number = worker.process.pid  # type: ignore[attr-defined]
        os.kill(number, signal.SIGSTOP)
        os.waitid(os.P_PID, number, os.WSTOPPED)
        pool.on_each_worker(partial(int, 5))
        assert not worker.has_room()
        os.kill(number, signal.SIGCONT)
        worker.receive()
        assert worker.has_room()


def test_a_pool_that_does_not_help_leaves_all_to_its_workers() -> None:
    """Also where they are slow: no call is done here."""
    results = Pool([Slow(3), Slow(5)], ahead=1, helps=False).map_ordered(batches(9))
    assert list(results) == expected(9)


def test_calls_are_begun_only_shortly_before_their_turn() -> None:
    """Results that wait for their turn take room."""
    begun: list[int] = []

    def calls() -> Iterator[Call[int]]:
        for i in range(20):
            begun.append(i)
            yield partial(int, i)

    for i, result in enumerate(Pool([Slow(1), Slow(2)], 1, helps=False).map_ordered(calls())):
        assert result == i
        assert len(begun) <= i + 3


def test_a_call_is_begun_beside_the_work_of_this_process() -> None:
    """A worker does it, and its result or error waits until it is asked for, before other calls."""
    with open_pool(1) as pool:
        here, task = os.getpid(), pool.begin(os.getpid)
        failing = pool.begin(partial(int, "x"))
        assert task is not None
        assert failing is not None
        assert list(pool.map_ordered([partial(bytes.upper, b"b")])) == [b"B"]
        assert here != task.result()
        with pytest.raises(ValueError, match="invalid literal"):
            failing.result()


def test_a_call_that_is_begun_is_done_here_where_its_worker_is_lost() -> None:
    """A worker that the system killed costs no result."""
    with open_pool(1) as pool:
        task = pool.begin(os.getpid)
        assert task is not None
        task.result()
        slow = pool.begin(partial(time.sleep, 0.2))
        task = pool.begin(os.getpid)
        kill_one(pool)
        assert slow is not None
        assert task is not None
        assert task.result() == os.getpid()


def test_without_a_worker_no_call_is_begun() -> None:
    """The caller does it when it needs the result."""
    assert ALONE.begin(partial(os.abort)) is None


def test_the_size_counts_this_process_where_it_helps() -> None:
    """The size of a pool is the number that `--jobs` gives."""
    assert (ALONE.size, here(3).size, Pool([Slow(1)] * 3, helps=False).size) == (1, 3, 3)


# -- real processes ------------------------------------------------------------------------------


def threads_of_ray() -> bool:
    """Whether native threads of Ray, which stay after its end, are in this process."""
    names = (path.read_text() for path in Path("/proc/self/task").glob("*/comm"))
    return any(name.startswith(("grpc_", "gcs_client_")) for name in names)


@pytest.fixture(params=["copies", "new processes"])
def _both(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers that are copies, as where one thread runs, and workers that start anew.

    Threads of whoever runs the tests (pytest-xdist has some) touch nothing that a copy needs; those
    that Ray leaves do on Python 3.13, where a copy dies as it starts.
    """
    is_copy = request.param == "copies"
    if is_copy and sys.version_info >= (3, 13) and threads_of_ray():
        pytest.skip("a test has left threads of Ray in this process")
    monkeypatch.setattr(local, "is_single_threaded", lambda: is_copy)


@pytest.mark.parametrize("count", [1, 2])
def test_a_process_with_more_threads_is_not_copied(count: int) -> None:
    """A copy would lack the other threads, and might wait for them for ever."""
    program = (
        "import threading\nfrom tp_tools.processes import local\n"
        f"[threading.Thread(target=input, daemon=True).start() for _ in range({count - 1})]\n"
        "print(local.is_single_threaded())\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == f"{count == 1}\n"


def test_small_traces_take_no_new_interpreters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the user names no number, workers that start anew are for work that outlasts that."""
    cores = local.usual_jobs()
    monkeypatch.setattr(local, "is_single_threaded", lambda: False)
    assert [local.default_jobs(size) for size in (0, local.SMALL - 1, local.SMALL)] == [1, 1, cores]
    monkeypatch.setattr(local, "is_single_threaded", lambda: True)
    assert local.default_jobs(0) == cores


def pid(_number: int = 0) -> int:
    """Which process does it."""
    time.sleep(0.01)
    return os.getpid()


def fail(file: str) -> NoReturn:
    """An error of a call."""
    raise InputError(f"{file}: is no trace.")


def end_amid_an_answer() -> bytes:
    """Result that kills the worker that sends it; plain bytes in this process."""
    return b"plain" if os.getpid() == int(os.environ["TEST_PARENT"]) else Deadly()  # type: ignore[return-value]


class Deadly:
    """Kills the process that pickles it."""

    def __reduce__(self) -> NoReturn:
        """Kills."""
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError


@pytest.mark.usefixtures("_both")
def test_processes_do_calls() -> None:
    """Two workers and this process; large texts, too."""
    texts = [bytes([i]) * ((i % 3 << 20) + i) for i in range(24)]
    with open_pool(2) as pool:
        assert pool.size == 3
        assert list(pool.map_ordered(TextCall(bytes.upper, text) for text in texts)) == texts
    with open_pool(2, ahead=1, helps=False) as pool:
        seen = set(pool.map_ordered(partial(pid, i) for i in range(20)))
    assert len(seen) == 2
    assert os.getpid() not in seen


@pytest.mark.usefixtures("_both")
def test_an_error_of_a_call_is_raised_when_its_turn_comes() -> None:
    """It says where in the worker it was raised."""
    with open_pool(1, helps=False) as pool:
        results = pool.map_ordered([partial(str, 1), partial(fail, "rank3.json"), partial(str, 2)])
        assert next(results) == "1"
        with pytest.raises(InputError, match=r"rank3\.json: is no trace") as caught:
            next(results)
        assert "in fail" in str(caught.value.__cause__)
        assert list(pool.map_ordered([partial(str, 3)])) == ["3"]


def wait_for(path: Path) -> str:
    """Work that ends once a file is there."""
    while not path.exists():
        time.sleep(0.01)
    return "first"


def touch_late(path: Path) -> str:
    """Makes the file."""
    path.touch()
    return "last"


@pytest.mark.usefixtures("_both")
def test_a_worker_that_is_free_waits_for_no_other(tmp_path: Path) -> None:
    """The first call ends only once the third has: another worker takes both others."""
    file = tmp_path / "file"
    calls: list[Call[str | None]] = [
        partial(wait_for, file),
        partial(time.sleep, 0.3),
        partial(touch_late, file),
    ]
    with open_pool(2, ahead=1, helps=False) as pool:
        pool.on_each_worker(partial(time.sleep, 0.1))
        assert list(pool.map_ordered(calls)) == ["first", None, "last"]


@pytest.mark.usefixtures("_both")
def test_every_worker_gets_ready() -> None:
    """An error of it is dropped: the work will tell."""
    with open_pool(2) as pool:
        pool.on_each_worker(partial(fail, "x"))
        assert list(pool.map_ordered([partial(str, i) for i in range(20)])) == [
            str(i) for i in range(20)
        ]


@pytest.mark.usefixtures("_both")
@pytest.mark.parametrize("helps", [True, False])
def test_what_a_killed_worker_leaves_is_done_here(
    helps: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is killed amid an answer keeps nobody waiting, and no other worker idle."""
    monkeypatch.setenv("TEST_PARENT", str(os.getpid()))
    with open_pool(2, helps=helps) as pool:
        first = list(pool.map_ordered([end_amid_an_answer]))
        assert first == [b"plain"]
        assert sorted(worker.pending_count() == LOST for worker in pool.workers) == [False, True]
        assert list(pool.map_ordered(batches(40))) == expected(40)
        assert list(pool.map_ordered([end_amid_an_answer] * 9)) == [b"plain"] * 9
        assert list(pool.map_ordered(batches(40))) == expected(40)


def test_half_an_answer_is_none(tmp_path: Path) -> None:
    """A worker that is killed while it sends a large result, some of which is here already."""
    program = (
        "import os, signal, subprocess, time\nfrom functools import partial\n"
        "from multiprocessing.connection import Connection\nfrom tp_tools.processes import local\n"
        "send = Connection.send_bytes\n"
        "def half(self, data):\n"
        "    if os.getpid() != parent:\n"
        "        os.write(self.fileno(), (1000).to_bytes(4, 'big') + b'half of it')\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    send(self, data)\n"
        "parent = os.getpid()\nConnection.send_bytes = half\n"
        "with local.open_pool(2, helps=False) as pool:\n"
        "    print(list(pool.map_ordered(partial(str, i) for i in range(9))))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout == f"{[str(i) for i in range(9)]}\n"


@pytest.mark.usefixtures("_both")
def test_no_process_is_left_when_the_block_fails() -> None:
    """Also where a worker has hours to go."""
    pids: list[int] = []

    def work() -> NoReturn:
        with open_pool(2, helps=False) as pool:
            pids.extend(pool.map_ordered(partial(pid, i) for i in range(20)))
            pool.on_each_worker(partial(time.sleep, 3600))
            raise KeyError

    with pytest.raises(KeyError):
        work()
    for each in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(each, 0)


@pytest.mark.parametrize("threads", [False, True])
def test_no_worker_outlives_a_parent_that_was_killed(threads: bool) -> None:
    """The pipe that all of them hold closes when the last one has ended, amid its work, too."""
    program = (
        "import threading, time\nfrom functools import partial\n"
        "from tp_tools.processes.local import open_pool\n"
        "sleep = partial(time.sleep, 600)\n"
        f"if {threads}:\n    threading.Thread(target=sleep, daemon=True).start()\n"
        "with open_pool(3, helps=False) as pool:\n"
        "    list(pool.map_ordered([partial(str, i) for i in range(9)]))\n"
        "    pool.on_each_worker(partial(time.sleep, 600))\n"
        "    print('ready', flush=True)\n    time.sleep(600)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.kill()
    assert process.communicate(timeout=60) == ("", "")


def test_the_main_module_is_not_run_again(tmp_path: Path) -> None:
    """A plain script without a guard, with threads: its workers import no line of it."""
    script = tmp_path / "script.py"
    script.write_text(
        "import threading, time\nfrom functools import partial\n"
        "from tp_tools.processes.local import open_pool\nprint('begins')\n"
        "threading.Thread(target=time.sleep, args=(2,)).start()\n"
        "with open_pool(2, helps=False) as pool:\n"
        "    print(list(pool.map_ordered([partial(str, i) for i in range(4)])))\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", str(script)], capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("begins\n['0', '1', '2', '3']\n", "")


def test_where_no_process_can_be_started_this_one_works(monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit of processes or files costs time only."""

    def refuse(**_: bool) -> NoReturn:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(multiprocessing, "Pipe", refuse)
    with open_pool(2, helps=False) as pool:
        assert pool.size == 1
        assert list(pool.map_ordered(batches(3))) == expected(3)


@pytest.mark.parametrize(
    ("error", "code"),
    [(EngineError("it failed"), 4), (MemoryError(), 4), (InputError("x.json: is broken"), 3)],
)
def test_the_failure_of_a_rank_names_the_rank(
    error: Exception, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever read it, and whatever failed."""

    def read(_source: object) -> NoReturn:
        raise error

    monkeypatch.setattr(read_rank, "read", read)
    with pytest.raises(TpToolsError, match=r"^x\.json: ") as caught:
        read_rank.read_rank(source_of("x.json"), tmp_path / "spool", None, based=True)
    assert caught.value.exit_code == code
