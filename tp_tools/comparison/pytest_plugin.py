"""Judge recordings by baselines in tests: the fixture `trace_gate` of pytest.

    def test_decode_is_not_slower(trace_gate, tmp_path):
        record(tmp_path / "t.json.gz")  # the program under test, with its profiler
        trace_gate(tmp_path / "t.json.gz", "perf/decode.json", metrics=["step_time"])

`pytest --update-baselines` writes the baselines instead. pytest loads this module wherever tp-tools
is installed, so it imports nothing more before the fixture is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tp_tools.caller import PathLike
    from tp_tools.comparison.verdicts import Judgement


class TraceGate(Protocol):
    """The fixture `trace_gate`."""

    def __call__(
        self,
        traces: PathLike | Iterable[PathLike],
        baseline: PathLike,
        *,
        metrics: Iterable[str] = ("step_time",),
        max_regression: float = 0.05,
        each: bool = False,
        phase: str | None = None,
    ) -> Judgement | None:
        """Fail the test at a regression, and skip it where noise or another cause hides it.

        Args:
            traces: as for `tp_tools.gate`, and so are the others.
            baseline: the baseline, from the folder that pytest runs in.
            metrics: what to judge.
            max_regression: how much worse a metric may be: 0.05 is 5 %.
            each: whether each trace is a recording of one program, not a rank.
            phase: judge the steps of this phase.

        Returns:
            The judgement; None where the baseline was written.
        """


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--update-baselines`."""
    parser.getgroup("tp-tools").addoption(
        "--update-baselines",
        action="store_true",
        help="write the baselines of trace_gate, and judge nothing",
    )


@pytest.fixture
def trace_gate(pytestconfig: pytest.Config) -> TraceGate:
    """Judge recordings by baselines; see `TraceGate`."""
    from tp_tools.comparison import api  # noqa: PLC0415  only where it is used

    def judge(
        traces: PathLike | Iterable[PathLike],
        baseline: PathLike,
        *,
        metrics: Iterable[str] = ("step_time",),
        max_regression: float = 0.05,
        each: bool = False,
        phase: str | None = None,
    ) -> Judgement | None:
        path, names = pytestconfig.invocation_params.dir / baseline, tuple(metrics)
        again = f"`pytest --update-baselines` writes {baseline}."
        if pytestconfig.getoption("--update-baselines"):
            api.write_baseline(traces, path, metrics=names, each=each, phase=phase)
            return None
        if not path.exists():
            pytest.fail(f"there is no baseline: {again}", pytrace=False)
        found = api.gate(
            traces, path, metrics=names, max_regression=max_regression, each=each, phase=phase
        )
        said = "; ".join(found.lines())
        if found.verdict == "regression":
            pytest.fail(f"{said}. If that is meant, {again}", pytrace=False)
        if found.verdict == "cannot be judged":
            pytest.skip(said)
        return found

    return judge
