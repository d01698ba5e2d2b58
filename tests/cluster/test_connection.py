"""A Ray cluster that is not there, or no Ray, is said in a line."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tp_tools.cluster import opened
from tp_tools.errors import UsageError

pytest.importorskip("ray", reason="there is no Ray for this Python, or it is not installed")
pytestmark = pytest.mark.filterwarnings("default")  # of Ray itself


@pytest.mark.parametrize("address", ["127.0.0.1:9", "ray://127.0.0.1:9", "nonsense"])
def test_a_cluster_that_does_not_answer_is_named(address: str) -> None:
    """A wrong address is one line, at once: Ray itself tries for minutes."""
    said = f"^--ray {address}: no Ray cluster answers: "
    with pytest.raises(UsageError, match=said), opened(address):
        pass


_DEAD_WORKER = """
from tp_tools.cluster import opened
from tp_tools.errors import UsageError
try:
    with opened("127.0.0.1:9"):
        pass
except UsageError:
    from ray._private import worker
    said = {"lines": ["A worker died."], "pid": "raylet", "is_err": False}
    worker.print_to_stdstream(said, ignore_prefix=False)
"""


def test_ray_says_nothing_on_stdout() -> None:
    """Rows go there; Ray prints in the process that asks that a worker was killed."""
    ran = subprocess.run([sys.executable, "-c", _DEAD_WORKER], capture_output=True, check=True)
    assert ran.stdout == b""


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Ray the line says what to install."""
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match="pip install ray"), opened("local"):
        pass
