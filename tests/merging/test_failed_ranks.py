"""Ranks whose work failed end the work, or are left out by name where that is allowed."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.support.command_line import TpTools, kernel, write_trace
from tp_tools.errors import InputError, SqlError, TaskLost, TpToolsError
from tp_tools.merging.failed_ranks import FailedRanks
from tp_tools.processes.outcomes import Raised, Returned, attempt

if TYPE_CHECKING:
    from pathlib import Path


def fail(error: TpToolsError) -> None:
    """Raises the error."""
    raise error


def test_results_and_errors_are_outcomes() -> None:
    """An error of tp-tools is what became of a call; other errors are raised."""
    assert attempt(partial(pow, 2, 3)) == Returned(8)
    outcome = attempt(partial(fail, InputError("bad")))
    assert isinstance(outcome, Raised)
    assert "fail" in outcome.traceback
    with pytest.raises(InputError, match="bad"):
        outcome()
    with pytest.raises(InputError):
        attempt(partial(fail, InputError("bad")), but=InputError)
    with pytest.raises(ZeroDivisionError):
        attempt(partial(divmod, 1, 0))


def test_a_failed_rank_ends_the_work() -> None:
    """A lost task is named by its rank, since it knows no file; an error that names one stays."""
    failed = FailedRanks(3, skips=False)
    assert failed.result(Returned(5), "rank 0") == 5
    with pytest.raises(TaskLost, match=r"^rank 1: it died. --allow-missing leaves it out.$"):
        failed.result(Raised(TaskLost("it died.")), "rank 1")
    with pytest.raises(InputError, match=r"^b.json: is empty.$"):
        failed.result(Raised(InputError("b.json: is empty.")), "rank 2")


def test_failed_ranks_are_left_out_where_that_is_allowed() -> None:
    """Until none is left; an error of the query itself ends the work at once."""
    failed = FailedRanks(2, skips=True)
    assert failed.result(Raised(TaskLost("it died.")), "rank 0") is None
    with pytest.raises(SqlError):
        failed.result(Raised(SqlError("no such table")), "rank 1")
    with pytest.raises(InputError, match=r"^bad$"):
        failed.result(Raised(InputError("bad")), "rank 1")


@pytest.fixture
def half_broken(tmp_path: Path) -> Path:
    """A folder with two ranks of a job, of which one has an event that is too long to be held."""
    write_trace(tmp_path / "rank0.json", kernel("k", 1, 2), rank=0)
    many = (kernel("k", ts, 1) for ts in range(1, 4000))
    write_trace(tmp_path / "rank1.json", *many, kernel("x" * (3 << 20), 9000, 1), rank=1)
    return tmp_path


def test_the_command_says_which_ranks_are_left_out(
    half_broken: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """Without --allow-missing it fails; with it a line counts and names the rank."""
    tp_tools = TpTools(capfdbinary)
    ran = tp_tools("query", "kernels", half_broken, "--format", "csv", "--longest-event", "1")
    assert ran.code == InputError.exit_code
    options = ("--format", "csv", "--longest-event", "1", "--allow-missing")
    ran = tp_tools("query", "kernels", half_broken, *options)
    assert ran.code == 0
    assert [line.split(b",")[:2] for line in ran.out.splitlines()[1:]] == [[b"0", b"k"]]
    assert "1 of 2 ranks failed and are left out: rank 1. The first: " in ran.err
    ran = tp_tools("query", "collectives_by_rank", half_broken, *options)
    assert ran.code == 0
    assert f"1 of 2 ranks failed and are left out: {half_broken / 'rank1.json'}." in ran.err
