"""Leave out ranks whose work failed, where that is allowed, and say which."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from msgspec import Struct, field

from tp_tools.errors import EngineOutOfMemory, InputError, TaskLost, TpToolsError

if TYPE_CHECKING:
    from tp_tools.processes.worker import Call
    from tp_tools.progress import Reporter

T = TypeVar("T")


class FailedRanks(Struct):
    """The ranks of a job whose work failed.

    Attributes:
        total: number of ranks that are worked on.
        skips: whether they are left out; else the first ends the work.
        errors: the error of each so far, by the name of the rank.
    """

    total: int
    skips: bool
    errors: dict[str, TpToolsError] = field(default_factory=dict)

    def result(self, outcome: Call[T], name: str) -> T | None:
        """Return the result of a rank's work; None if it failed, and the rank is left out.

        Args:
            outcome: returns the result or raises the error.
            name: of the rank, for users: "rank 3".

        Raises:
            TpToolsError: it failed, and ranks are not left out; or it failed for every rank.
        """
        try:
            return outcome()
        except (InputError, EngineOutOfMemory, TaskLost) as error:
            self.errors[name] = error
            if self.skips and len(self.errors) < self.total:
                return None
            if isinstance(error, TaskLost) and not self.skips:
                raise TaskLost(f"{name}: {error} --allow-missing leaves it out.") from error
            raise

    def tell(self, reporter: Reporter) -> None:
        """Warn of the ranks that are left out: their number, their names, the first reason."""
        if self.errors:
            reporter.warn(
                f"{len(self.errors)} of {self.total} ranks failed and are left out: "
                f"{', '.join(self.errors)}. The first: {next(iter(self.errors.values()))}"
            )
