"""Run calls as tasks of Ray, in the order of the calls.

A task gets the files that it reads as objects of Ray, and leaves those that it writes as objects on
its own machine, where Ray runs the task that reads them if it can. So only results come back. A
file that a URL names is such an object, too, once a task fetched it. Ray does a task again whose
worker or machine was lost, and with it the tasks whose objects were lost.
"""

from __future__ import annotations

from collections import deque
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from msgspec import Struct, field

from tp_tools.cluster.task import Assignment, work
from tp_tools.errors import TaskLost, TpToolsError
from tp_tools.files.remote import is_url
from tp_tools.processes import Pool
from tp_tools.processes.outcomes import Raised
from tp_tools.processes.worker import FileCall

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable
    from pathlib import Path

    from tp_tools.cluster.task import Done
    from tp_tools.processes.worker import Call

T = TypeVar("T")

RETRIES = 6
"""Times that a task is done again whose worker was lost, or that could not reach a server."""

_AHEAD = 2
"""Tasks in flight for each CPU: one that runs, and one that waits or is done."""


class _Submitted(Struct, Generic[T], frozen=True):
    """A task in flight.

    Attributes:
        call: what it does.
        outcome: Ray's reference to what became of it.
        inputs: Ray's references to the inputs that it may fetch and give back, by their URLs.
    """

    call: FileCall[T]
    outcome: Any
    inputs: dict[str, Any]


class ClusterPool(Pool, frozen=True):
    """The CPUs of a Ray cluster as the workers of a pool.

    Attributes:
        cpus: number of CPUs of the cluster when it was opened.
        retries: times that a failed task is done again.
        objects: Ray's references to the files that tasks wrote, by their paths in calls.
        inputs: Ray's references to the files of the user that tasks fetched, by their URLs, until
            a call reads them that does not keep them.
    """

    is_elsewhere: ClassVar[bool] = True
    cpus: int = 1
    retries: int = RETRIES
    objects: dict[Path, Any] = field(default_factory=dict)
    inputs: dict[str, Any] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Number of CPUs that do calls."""
        return self.cpus

    def outcomes(self, calls: Iterable[Call[T]]) -> Generator[Call[T]]:
        """Do calls as tasks, a few for each CPU at a time, and yield their outcomes in order.

        Args:
            calls: the calls, taken one by one as tasks end.

        Yields:
            For each call one that returns its result or raises its error: `TaskLost` where the task
            failed each time.
        """
        tasks: deque[_Submitted[T]] = deque()
        for call in calls:
            tasks.append(self._submitted(call))
            if len(tasks) >= _AHEAD * self.cpus:
                yield self._outcome(tasks.popleft())
        while tasks:
            yield self._outcome(tasks.popleft())

    def map_ordered(self, calls: Iterable[Call[T]]) -> Generator[T]:
        """Do calls and yield their results in order: see `outcomes`.

        Raises:
            Exception: the error of a call, in place of its result.
        """
        for outcome in self.outcomes(calls):
            yield outcome()

    def on_each_worker(self, call: Call[object]) -> None:
        """Do nothing: Ray starts workers as it needs them, and they get ready by themselves."""

    def _submitted(self, call: Call[T]) -> _Submitted[T]:
        """Submit a call."""
        import ray  # noqa: PLC0415  only clusters need it

        files = call if isinstance(call, FileCall) else FileCall(call)
        given = tuple(url for url in files.inputs if url in self.inputs)
        wanted = files.inputs if files.keeps_inputs else ()
        kept = tuple(url for url in wanted if is_url(url) and url not in given)
        written = (*files.keeps, *files.returns)
        task = ray.remote(work).options(
            num_returns=1 + len(written) + len(kept),
            max_retries=self.retries,
            retry_exceptions=True,
        )
        contents = [*(self.objects[it] for it in files.reads), *(self.inputs[it] for it in given)]
        found = task.remote(Assignment(version("tp-tools"), given, kept), files, *contents)
        outcome, *objects = found if written or kept else [found]
        self.objects.update(zip(written, objects, strict=False))
        return _Submitted(files, outcome, dict(zip(kept, objects[len(written) :], strict=True)))

    def _outcome(self, task: _Submitted[T]) -> Call[T]:
        """Wait for a task, and write the files that come back to this machine."""
        import ray  # noqa: PLC0415  only clusters need it

        try:
            done: Done = ray.get(task.outcome)
            for path in task.call.returns:
                path.write_bytes(ray.get(self.objects.pop(path)))
        except ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, TpToolsError):
                return Raised(error.cause)
            return Raised(self._lost(f"{type(error.cause).__name__}: {error.cause}"))
        except ray.exceptions.RayError as error:
            return Raised(self._lost(f"{type(error).__name__}: {error}"))
        self.inputs.update((url, it) for url, it in task.inputs.items() if url in done.fetched)
        for url in () if task.call.keeps_inputs else task.call.inputs:
            self.inputs.pop(url, None)
        return done.outcome

    def _lost(self, reason: str) -> TaskLost:
        """Return the error of a task that failed each time."""
        return TaskLost(f"its task failed {self.retries + 1} times: {brief(reason)}.")


_LONGEST = 300
"""Characters of a reason; Ray's have advice for administrators behind it."""


def brief(reason: str) -> str:
    """Return the beginning of a reason of Ray's as one line, without a full stop."""
    return " ".join(reason.split())[:_LONGEST].rstrip(".")
