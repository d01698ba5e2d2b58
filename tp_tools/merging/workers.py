"""Say who works on the ranks of a job, and what becomes of ranks whose work failed."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, TypeVar

from msgspec import Struct

from tp_tools.processes.pool import ALONE
from tp_tools.progress import Recorder

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable
    from contextlib import AbstractContextManager

    from tp_tools.merging.kept_results import KeptResults
    from tp_tools.processes import Pool
    from tp_tools.processes.worker import Call
    from tp_tools.progress import Reporter

T = TypeVar("T")


class Workers(Struct, frozen=True):
    """Who works on the ranks of a job.

    Attributes:
        pool: a pool that is open, such as a cluster; None for this process, with workers of this
            machine where that pays.
        skips_failed: whether ranks whose work failed are left out, with a warning that names them.
        kept: where results about ranks are kept from command to command; None for nowhere.
    """

    pool: Pool | None = None
    skips_failed: bool = False
    kept: KeptResults | None = None

    def outcomes(self, calls: Iterable[Call[T]]) -> Generator[Call[T]]:
        """Do calls and yield their outcomes in order: see `Pool.outcomes`."""
        return (self.pool or ALONE).outcomes(calls)

    def reporter(self, reporter: Reporter) -> Reporter:
        """Return what a call reports to: `reporter` itself, or one that keeps lines.

        Lines are kept where the call is done elsewhere, or its result is kept with them.
        """
        return reporter if self.pool is None and self.kept is None else Recorder()

    def rank_pool(
        self, jobs: int | None, engine: str | None, size: int = 0
    ) -> AbstractContextManager[Pool]:
        """Return the pool that is open, or open one as `preparation.rank_pool` does."""
        if self.pool is not None:
            return nullcontext(self.pool)
        from tp_tools.merging.preparation import rank_pool  # noqa: PLC0415  not for one trace

        return rank_pool(jobs, engine, size)


HERE = Workers()
"""This process, and workers of this machine where that pays."""
