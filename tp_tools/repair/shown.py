"""Ask TraceProcessor what it shows of a written file, in this process or beside its work."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct

from tp_tools import engine, library
from tp_tools.files import Source
from tp_tools.progress import BUILDING, Recorder

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from tp_tools.engine.processor import Processor
    from tp_tools.processes import Pool
    from tp_tools.processes.pool import Task
    from tp_tools.progress import Reporter
    from tp_tools.repair.verify_flows import Arrows
    from tp_tools.trace.model import Ints


class Shown(Struct, frozen=True):
    """What TraceProcessor shows of a file.

    Attributes:
        ts, dur: int64 (slices,), start and duration in ns of each finished slice and instant of
            threads, processes and the whole trace.
        tid: int64 (slices,), the thread; meaningless where `on_thread` is False.
        on_thread: bool (slices,), whether it is of a thread.
        name: int32 (slices,), index in `names`.
        names: the names; None for that of slices without one.
        arrows: the arrows between slices.
        losses: counts of data lost on import, as `engine.losses`.
    """

    ts: Ints
    dur: Ints
    tid: Ints
    on_thread: NDArray[np.bool_]
    name: Ints
    names: list[str | None]
    arrows: Arrows
    losses: dict[str, int]


class Loading(Struct, frozen=True):
    """A file that TraceProcessor loads whole.

    Attributes:
        path: the file.
        name: its name in messages.
        engine: the TraceProcessor; None for the default.
        size: its bytes as text, or about so many; None if they are to be counted.
        allow_loss: whether losses are left to the caller: `Shown.losses`.
    """

    path: Path
    name: str
    engine: str | None
    size: int | None
    allow_loss: bool

    def load(self, reporter: Reporter) -> Shown:
        """Load the file here and ask.

        Args:
            reporter: receives the bytes read from disk, and notes.

        Raises:
            TraceLossError: slices were lost, and `allow_loss` is False.
            EngineError: TraceProcessor failed otherwise.
        """
        source = Source(self.path, self.name)
        size = sum(map(len, source.blocks())) if self.size is None else self.size
        with engine.load(
            source.blocks(reporter),
            source=self.name,
            engine=self.engine,
            size=size,
            reporter=reporter,
            allow_loss=self.allow_loss,
        ) as tp:
            return _ask(tp)


class Answer(Struct, frozen=True):
    """What TraceProcessor shows of a file, now or later.

    Attributes:
        loading: the file.
        task: what a worker does; None where this process has to do it.
    """

    loading: Loading
    task: Task[tuple[Shown, Recorder]] | None

    def get(self, reporter: Reporter) -> Shown:
        """Return what TraceProcessor shows, once that is known.

        Args:
            reporter: receives the stage of the work, and notes.

        Raises:
            EngineError: as `Loading.load`.
        """
        doing = f"verifying: loading {self.loading.name}"
        if self.task is None:
            size = self.loading.path.stat().st_size
            with reporter.stage(doing, size, BUILDING) as stage:
                return self.loading.load(stage)
        with reporter.stage(doing) as stage:
            shown, said = self.task.result()
            said.tell(stage)
            return shown


def ask(loading: Loading, pool: Pool) -> Answer:
    """Have a worker of the pool load a file; without one it is loaded when `Answer.get` is called.

    So this process works on beside it, and may fail without waiting for it.
    """
    return Answer(loading, pool.begin(partial(_load_elsewhere, loading)))


def _load_elsewhere(loading: Loading) -> tuple[Shown, Recorder]:
    """Load in a worker, whose notes this process has to say."""
    said = Recorder()
    return loading.load(said), said


def _ask(tp: Processor) -> Shown:
    """Ask a loaded TraceProcessor for its slices, arrows and losses."""
    ids, tids = engine.columns_of_file(tp, library.check("tracks"))
    *numbers, names = engine.columns_of_file(tp, library.check("slices"))
    ts, dur, track = (np.array(column, np.int64) for column in numbers)
    known = np.array([*ids, _NO_TRACK], np.int64)
    place = np.searchsorted(known, track)
    kept = known[place] == track
    number_of = {name: number for number, name in enumerate(dict.fromkeys(names))}
    return Shown(
        ts=ts[kept],
        dur=dur[kept],
        tid=np.array([tid or 0 for tid in tids], np.int64)[place[kept]],
        on_thread=np.array([tid is not None for tid in tids], np.bool_)[place[kept]],
        name=np.fromiter(map(number_of.__getitem__, names), np.int32, len(names))[kept],
        names=list(number_of),
        arrows=engine.run_file(tp, library.check("arrows")).rows,
        losses=engine.losses(tp),
    )


_NO_TRACK = (1 << 63) - 1
"""Behind the ids of all tracks."""
