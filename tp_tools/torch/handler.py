"""Save what a profiler recorded, and repair it in another process.

The profiler itself writes the trace, which takes its time as always. The repair then runs in a
process of its own that is started anew, not forked: it shares neither the interpreter's lock nor a
CUDA context with the program. A thread waits for it, and the program ends after that.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct, field

from tp_tools.caller import LossWarning

if TYPE_CHECKING:
    from tp_tools.caller import PathLike

_RAW = ".raw"
"""In the name of a trace that is not repaired yet: rank0_step12.raw.json.gz."""

_SUFFIX = ".json.gz"


class Profiler(Protocol):
    """What a handler needs of `torch.profiler.profile`."""

    def export_chrome_trace(self, path: str) -> object:
        """Write the trace; packed where the name ends in .gz."""


class TraceHandler(Struct):
    """Saves traces; give it to `torch.profiler.profile(on_trace_ready=...)`.

    Attributes:
        folder: where traces go.
        options: options of `tp-tools fix`; None to save traces as they are.
        repairs: the threads that wait for repairs.
    """

    folder: Path
    options: tuple[str, ...] | None
    repairs: list[threading.Thread] = field(default_factory=list)

    def __call__(self, profiler: Profiler) -> None:
        """Save the trace of a profiler, and begin to repair it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        target = self._free_name(f"rank{_rank()}_step{getattr(profiler, 'step_num', 0)}")
        if self.options is None:
            profiler.export_chrome_trace(str(target))
            return
        raw = target.with_name(target.name.removesuffix(_SUFFIX) + _RAW + _SUFFIX)
        profiler.export_chrome_trace(str(raw))
        # not a daemon: the interpreter waits for it before it ends
        thread = threading.Thread(target=_repair, args=(raw, target, self.options))
        thread.start()
        self.repairs.append(thread)

    def wait(self) -> None:
        """Wait until all traces so far are repaired."""
        while self.repairs:
            self.repairs.pop().join()

    def _free_name(self, stem: str) -> Path:
        """Return a name that no trace has, so that none of an earlier run is replaced."""
        number = 1
        while True:
            suffix = "" if number == 1 else f"-{number}"
            names = [f"{stem}{suffix}{raw}{_SUFFIX}" for raw in ("", _RAW)]
            if not any((self.folder / name).exists() for name in names):
                return self.folder / names[0]
            number += 1


def trace_handler(
    folder: PathLike, *, fix: bool = True, verify: bool = False, short_names: bool = False
) -> TraceHandler:
    """Make a handler for `torch.profiler.profile(on_trace_ready=...)`.

    Each trace becomes `rank0_step12.json.gz` in the folder. A trace that cannot be repaired stays
    as it was recorded, as `rank0_step12.raw.json.gz`, with a warning.

    Args:
        folder: where traces go; made if it is missing.
        fix: whether traces are repaired, in a process beside the program.
        verify: whether each result is loaded and proven.
        short_names: whether kernels get names that can be read.
    """
    given = {"--verify": verify, "--short-names": short_names}
    options = tuple(name for name, is_wanted in given.items() if is_wanted)
    return TraceHandler(Path(os.fspath(folder)), options if fix else None)


def _rank() -> int:
    """Return the rank of this process: of torch.distributed if it is in use, else of $RANK."""
    distributed = sys.modules.get("torch.distributed")
    if distributed is not None and distributed.is_available() and distributed.is_initialized():
        return int(distributed.get_rank())
    text = os.environ.get("RANK", "")
    return int(text) if text.isdecimal() else 0


def _repair(raw: Path, target: Path, options: tuple[str, ...]) -> None:
    """Run `tp-tools fix`, and remove what it repaired."""
    command = [
        sys.executable,
        "-m",
        "tp_tools",
        "fix",
        str(raw),
        "-o",
        str(target),
        "-q",
        "-j",
        "1",
    ]
    done = subprocess.run(  # noqa: S603  our own command
        [*command, *options], check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    if done.returncode == 0:
        raw.unlink()
    said = done.stderr.strip()
    if said:
        warnings.warn(said, LossWarning, stacklevel=1)
