"""Run `tp-tools` with one setting of the process as Python or the system has it.

    python -m benchmarks.without SETTING COMMAND ...

`benchmarks.settings` starts it, to measure what each setting of `tp_tools.cli.process` and of
`tp_tools.processes` gains. With the setting "none", all of them are as `tp-tools` has them.
"""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Any

from tp_tools import __main__ as program
from tp_tools.cli import process
from tp_tools.processes import local

if TYPE_CHECKING:
    from collections.abc import Callable

_USUAL_PIPE = 1 << 16
"""Bytes of a pipe as Linux makes it (pipe(7))."""


def _set(owner: object, name: str, value: Any) -> Callable[[], None]:  # noqa: ANN401  of any module
    return partial(setattr, owner, name, value)


OFF: dict[str, Callable[[], None]] = {
    "none": lambda: None,
    "one thread of OpenBLAS": _set(process, "VARIABLES", {}),
    "end without freeing": _set(process, "end", sys.exit),
    "mallopt": _set(process, "give_back_memory", lambda: None),
    "large pipes": _set(local, "_PIPE", _USUAL_PIPE),
}
"""Names of settings, each with the call that takes it away."""


if __name__ == "__main__":
    OFF[sys.argv[1]]()
    sys.argv[:2] = ["tp-tools"]
    program.run()
