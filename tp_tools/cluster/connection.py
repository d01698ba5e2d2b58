"""Connect to a Ray cluster, or start one on this machine for the time of a block."""

from __future__ import annotations

import logging
import os
import re
import signal
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tp_tools.cluster.pool import ClusterPool, brief
from tp_tools.errors import UsageError
from tp_tools.processes import signals
from tp_tools.processes.local import usual_jobs
from tp_tools.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tp_tools.progress import Reporter

LOCAL = "local"
"""Address of a cluster on this machine, which ends with the block that opened it."""

_VARIABLES = "TP_TOOLS_"
"""Start of the names of environment variables that tasks have as this process has them."""

_SKIPPED_LINES = "RAY_DEDUP_LOGS_SKIP_REGEX"
"""Lines that Ray does not print, read when it is imported: else it says on stdout, where the rows
go, that a worker died."""

_HOST_PORT = re.compile(r"(?:ray://)?([^/:]+):(\d{1,5})")
_PATIENCE_S = 10.0


@contextmanager
def opened(address: str, reporter: Reporter = SILENT) -> Iterator[ClusterPool]:
    """Connect to a Ray cluster while the block runs; a connection that is there is used and left.

    Args:
        address: "local" for a cluster on this machine that ends with the block, "auto" for the one
            that runs here, else that of a cluster: "ray://HOST:10001", "HOST:6379".
        reporter: receives the stage of connecting.

    Yields:
        The CPUs of the cluster as a pool.

    Raises:
        UsageError: Ray is not installed, or no cluster answers.
    """
    os.environ.setdefault(_SKIPPED_LINES, "^")
    try:
        import ray  # noqa: PLC0415  only clusters need it
    except ImportError as error:
        raise UsageError("--ray wants the package ray: pip install ray.") from error
    if ray.is_initialized():
        yield _pool()
        return
    with reporter.stage(f"connecting to Ray ({address})"), _handlers_kept():
        _connect(address)
    forget = signals.at_end(ray.shutdown)
    try:
        yield _pool()
    finally:
        forget()
        ray.shutdown()


def _pool() -> ClusterPool:
    import ray  # noqa: PLC0415  only clusters need it

    return ClusterPool(cpus=max(1, int(ray.cluster_resources().get("CPU", 1))))


def _connect(address: str) -> None:
    import ray  # noqa: PLC0415  only clusters need it

    _refuse_silent(address)
    here = {"num_cpus": usual_jobs(), "include_dashboard": False} if address == LOCAL else {}
    variables = {name: it for name, it in os.environ.items() if name.startswith(_VARIABLES)}
    try:
        ray.init(
            address=address,
            runtime_env={"env_vars": variables},
            logging_level=logging.ERROR,
            log_to_driver=False,
            **here,
        )
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise UsageError(
            f"--ray {address}: no Ray cluster answers: {brief(str(error))}."
        ) from error


def _refuse_silent(address: str) -> None:
    """Refuse an address where nothing listens: Ray would try for two minutes, and say so.

    Raises:
        UsageError: nothing listens there.
    """
    if match := _HOST_PORT.fullmatch(address):
        try:
            socket.create_connection((match[1], int(match[2])), _PATIENCE_S).close()
        except OSError as error:
            raise UsageError(
                f"--ray {address}: no Ray cluster answers: {error.strerror or error}."
            ) from error


@contextmanager
def _handlers_kept() -> Iterator[None]:
    """Restore the handlers of signals after the block, in which Ray sets its own."""
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = {number: signal.getsignal(number) for number in numbers}
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            for number, handler in before.items():
                signal.signal(number, handler)
