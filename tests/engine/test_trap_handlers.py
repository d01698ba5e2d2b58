"""Handlers of signals that other libraries set do not turn a trap into the end of a process."""

from __future__ import annotations

import subprocess
import sys
from textwrap import dedent

import pytest

PROGRAM = """
    import faulthandler

    from tp_tools import engine
    from tp_tools.errors import EngineOutOfMemory

    EVENT = b'{"ph":"X","pid":%d,"tid":1,"ts":%d,"dur":1,"name":"n%d","args":{"text":"%d"}}'
    TEXT = b"[%s]" % b",".join(EVENT % (i % 9, i, i, i) for i in range(100_000))

    def load(limit=None):
        with engine.load([TEXT], source="t", memory_limit=limit) as tp:
            print(engine.query_rows(tp, "SELECT COUNT(*) FROM slice", "q").rows, flush=True)

    if __BEFORE__:
        faulthandler.enable()
    load()
    faulthandler.disable() if __BEFORE__ else faulthandler.enable()
    try:
        load(48 << 20)
    except EngineOutOfMemory:
        print("out of memory", flush=True)
    load()
"""


@pytest.mark.parametrize("is_before", [False, True])
def test_an_engine_without_memory_is_an_error(is_before: bool) -> None:
    """Where faulthandler sets handlers, or takes wasmtime's away, the next engine still answers."""
    program = dedent(PROGRAM).replace("__BEFORE__", str(is_before))
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == ["[(100000,)]", "out of memory", "[(100000,)]"]
