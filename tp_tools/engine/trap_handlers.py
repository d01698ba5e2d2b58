"""Keep the signal handlers that make a trap of WebAssembly an error and not the end of the process.

wasmtime sets them when its first engine is made, once in a process. Another library may set its own
later, as `faulthandler.enable()` and `ray.init()` do: the next module that runs out of memory would
end the process by SIGILL.
"""

from __future__ import annotations

import ctypes
import functools
import signal
import sys

_SIZE = 256
"""Bytes of room for a `struct sigaction`: 152 in glibc on x86-64."""

_kept: dict[int, ctypes.Array[ctypes.c_char]] = {}
"""By signal: the `struct sigaction` that wasmtime set."""


def keep() -> None:
    """Remember the handlers as they are now, if an engine was made and none are remembered yet.

    On Linux only: on macOS wasmtime uses no signals, on Windows there are none.
    """
    if sys.platform == "linux" and not _kept:
        numbers = (signal.SIGILL, signal.SIGSEGV, signal.SIGFPE, signal.SIGBUS)
        _kept.update({number: _current(number) for number in numbers})


def restore() -> None:
    """Set the remembered handlers where others stand now; wasmtime is to be called next."""
    for number, action in _kept.items():
        if _handler(_current(number)) != _handler(action):
            _sigaction()(number, action, None)


def _current(number: int) -> ctypes.Array[ctypes.c_char]:
    action = ctypes.create_string_buffer(_SIZE)
    _sigaction()(number, None, action)
    return action


def _handler(action: ctypes.Array[ctypes.c_char]) -> bytes:
    """Return the address of the handler, which stands first in the structure."""
    return action.raw[: ctypes.sizeof(ctypes.c_void_p)]


@functools.cache
def _sigaction() -> ctypes._FuncPointer:
    return ctypes.CDLL(None).sigaction
