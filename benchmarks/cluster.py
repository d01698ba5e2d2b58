"""Hold queries on a Ray cluster of two machines against the same without Ray: rows, CPU, memory.

    python -m fixtures.generate_ranks TRACE FOLDER --ranks 256 --steps 52 --suffix .json
    python -m benchmarks.cluster QUERY FOLDER 32 256 [--kills 20] [--leave-after 20] [--s3]

Both machines are processes here (`ray.cluster_utils`), a CPU each. Memory is the peak of the
command's own process, which ranks must not enlarge. With --kills, workers are killed at random
moments meanwhile; with --leave-after, a machine leaves the cluster after so many seconds of each
run, with all that it holds, and another one joins. With --s3 the ranks lie on an S3 server here
(moto's).
"""

from __future__ import annotations

import argparse
import logging
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_BETWEEN_KILLS_S = (3.0, 7.0)
_BETWEEN_LOOKS_S = 0.05


@dataclass(frozen=True)
class Ran:
    """What a command printed and cost.

    Attributes:
        rows: its stdout.
        seconds, busy: wall and CPU seconds of its own process.
        megabytes: peak of its own process (1e6 bytes).
    """

    rows: bytes
    seconds: float
    busy: float
    megabytes: float


def run(command: Sequence[str]) -> Ran:
    """Run a command.

    Raises:
        SystemExit: it failed.
    """
    began = time.perf_counter()
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(command, stdout=out)
        peaks: list[float] = []
        watch = threading.Thread(target=lambda: peaks.extend(_peaks(process.pid)))
        watch.start()
        _, status, usage = os.wait4(process.pid, 0)
        watch.join()
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"exit {process.returncode}: {' '.join(command)}")
        out.seek(0)
        busy = usage.ru_utime + usage.ru_stime
        return Ran(out.read(), time.perf_counter() - began, busy, max(peaks))


def _peaks(pid: int) -> Iterator[float]:
    """Yield the peak memory of a process in MB until it ends.

    `ru_maxrss` would be at least that of this process, which holds Ray and the S3 server: what
    vfork shares until exec counts.
    """
    while peak := re.search(r"VmHWM:\s*(\d+) kB", _status(pid)):
        yield int(peak[1]) * 1024 / 1e6
        time.sleep(_BETWEEN_LOOKS_S)


def _status(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/status").read_text()
    return ""


def ranks(folder: Path, count: int, into: Path) -> Path:
    """Link the first ranks of a folder into a folder of their own."""
    into.mkdir()
    for number in range(count):
        (file,) = folder.glob(f"rank{number}.json*")
        (into / file.name).symlink_to(file.absolute())
    return into


def workers() -> Iterator[int]:
    """Yield the processes that do tasks of Ray now."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                title = (entry / "cmdline").read_bytes()
            except OSError:  # it has ended
                continue
            if title.startswith(b"ray::work"):
                yield int(entry.name)


def kill(count: int, done: threading.Event, killed: list[int]) -> None:
    """Kill a worker at random moments, so many times or until it is over."""
    while len(killed) < count and not done.wait(random.uniform(*_BETWEEN_KILLS_S)):  # noqa: S311
        if found := list(workers()):
            victim = random.choice(found)  # noqa: S311
            os.kill(victim, signal.SIGKILL)
            killed.append(victim)


def bucket(folder: Path, stack: ExitStack) -> str:
    """Serve a folder as a bucket of S3; return its URL."""
    import boto3  # noqa: PLC0415  for --s3
    from moto.server import ThreadedMotoServer  # noqa: PLC0415

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    stack.callback(server.stop)
    host, port = server.get_host_and_port()
    os.environ |= {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s"}
    os.environ |= {"AWS_DEFAULT_REGION": "us-east-1", "AWS_ENDPOINT_URL": f"http://{host}:{port}"}
    client = boto3.client("s3")
    client.create_bucket(Bucket="traces")
    for file in folder.iterdir():
        client.upload_file(str(file), "traces", f"{folder.name}/{file.name}")
    return f"s3://traces/{folder.name}/"


def leave(cluster: Any, after_s: float | None, done: threading.Event, left: list[str]) -> None:  # noqa: ANN401  Ray has no types
    """Have a machine leave the cluster after this time, and another one join."""
    if after_s is not None and not done.wait(after_s):
        leaving = cluster.list_all_nodes()[-1]
        cluster.remove_node(leaving)
        left.append(leaving.node_id)
        cluster.add_node(num_cpus=1)


def compare(query: str, traces: str, cluster: Any, kills: int, after_s: float | None) -> float:  # noqa: ANN401  Ray has no types
    """Run a query with Ray and without, and print what both cost; return MB of the one with."""
    command = [sys.executable, "-m", "tp_tools", "query", query, traces, "--quiet"]
    command += ["--format", "csv"]
    here = run(command)
    done, killed, left = threading.Event(), list[int](), list[str]()
    with ThreadPoolExecutor(2) as threads:
        running = threads.submit(run, [*command, "--ray", cluster.address])
        running.add_done_callback(lambda _: done.set())
        killing = threads.submit(kill, kills, done, killed)
        leave(cluster, after_s, done, left)  # Ray starts machines in the main thread alone
        there = running.result()
        killing.result()
    same = "the same rows" if here.rows == there.rows else "OTHER ROWS"
    for name, it in (("without Ray", here), ("with Ray", there)):
        print(f"  {name:12}{it.seconds:8.1f} s{it.busy:8.1f} CPU s here{it.megabytes:8.0f} MB here")
    print(
        f"  {same}: {len(here.rows.splitlines()) - 1}; workers killed: {len(killed)}; "
        f"machines that left: {len(left)}",
        flush=True,
    )
    for pair in zip(here.rows.splitlines(), there.rows.splitlines(), strict=False):
        if pair[0] != pair[1]:
            print("  the first that differ:", *pair, sep="\n    ", flush=True)
            break
    return there.megabytes


def machines(stack: ExitStack) -> Any:  # noqa: ANN401  Ray has no types
    """Start a cluster of two machines of a CPU each.

    Raises:
        SystemExit: it does not start within the 30 s that Ray waits.
    """
    from ray.cluster_utils import Cluster  # noqa: PLC0415  not for --help

    head = {"num_cpus": 1, "include_dashboard": False}
    try:
        cluster = Cluster(initialize_head=True, head_node_args=head)
        stack.callback(cluster.shutdown)
        cluster.add_node(num_cpus=1)
    except Exception as error:  # Ray raises this class itself
        raise SystemExit(f"this machine is too busy to start Ray: {error}") from error
    return cluster


def main() -> None:
    """Start the cluster, and compare for each number of ranks."""
    parser = argparse.ArgumentParser()
    parser.add_argument("query")
    parser.add_argument("folder", type=Path)
    parser.add_argument("counts", type=int, nargs="+")
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--leave-after", type=float, metavar="S")
    parser.add_argument("--s3", action="store_true")
    given = parser.parse_args()
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        sources = {n: ranks(given.folder, n, scratch / f"{n}") for n in given.counts}
        urls = {n: bucket(it, stack) if given.s3 else str(it) for n, it in sources.items()}
        cluster = machines(stack)  # with the credentials in its environment
        peaks = []
        for count, url in urls.items():
            size = sum(it.stat().st_size for it in sources[count].iterdir()) / 1e6
            print(f"{given.query}, {count} ranks, {size:.1f} MB on disk", flush=True)
            peaks.append(compare(given.query, url, cluster, given.kills, given.leave_after))
        print(f"memory here, last / first: {peaks[-1] / peaks[0]:.2f}")
        shutil.rmtree(scratch)


if __name__ == "__main__":
    main()
