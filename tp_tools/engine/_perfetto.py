"""Import the `perfetto` package without the modules that few commands need.

Its first module imports pandas (and polars, if installed) for `as_pandas_dataframe()` alone: 0.3 to
0.4 s of the 0.5 s that its import takes. `fix` makes no frame. Only the native engine is reached by
HTTP, whose modules take another 0.03 s, and downloaded, which is verified by a hash. protobuf
imports its implementation in Python, 0.02 s, beside that in C, which it uses. So stand-ins take the
place of these modules while `perfetto` is imported, and import the real module at the first use of
an attribute.
(`importlib.util.LazyLoader` is no help: before Python 3.12 an import statement already loads such a
module.)

Each `TraceProcessor` of the package makes the classes of its messages anew, for 7 ms of CPU. They
are the same each time, so that one set serves the whole process here.
"""

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

DEFERRED = (
    "pandas",
    "polars",
    "google.protobuf.internal.python_message",
    "hashlib",
    "http.client",
    "socket",
    "urllib.request",
)


class _Deferred(ModuleType):
    """Stands for a module that is imported at the first use of one of its attributes."""

    def __getattr__(self, attribute: str) -> object:
        _withdraw(self)
        return getattr(importlib.import_module(self.__name__), attribute)


def _withdraw(stand_in: ModuleType) -> None:
    if sys.modules.get(stand_in.__name__) is stand_in:
        del sys.modules[stand_in.__name__]


@contextmanager
def _deferred() -> Iterator[None]:
    """Replace the modules of `DEFERRED` that are installed by stand-ins while the block runs.

    `import http.client` binds `http` alone, so a stand-in is an attribute of its package too, until
    the import of the real module puts that in its place.
    """
    missing = [name for name in DEFERRED if name not in sys.modules]
    stand_ins = [_Deferred(name) for name in missing if importlib.util.find_spec(name)]
    for module in stand_ins:
        sys.modules[module.__name__] = module
        package, _, name = module.__name__.rpartition(".")
        if package:
            setattr(sys.modules[package], name, module)
    try:
        yield
    finally:
        for module in stand_ins:
            _withdraw(module)


with _deferred():
    from perfetto.common.exceptions import PerfettoException
    from perfetto.common.query_result_iterator import QueryResultIterator
    from perfetto.trace_processor import api
    from perfetto.trace_processor.api import TraceProcessor
    from perfetto.trace_processor.backend import TraceProcessorBackend
    from perfetto.trace_processor.platform import PlatformDelegate
    from perfetto.trace_processor.protos import ProtoFactory

_made: dict[object, ProtoFactory] = {}


def _message_classes(delegate: PlatformDelegate) -> ProtoFactory:
    kind = type(delegate)
    if kind not in _made:
        _made[kind] = ProtoFactory(delegate)
    return _made[kind]


api.ProtoFactory = _message_classes

__all__ = [
    "PerfettoException",
    "PlatformDelegate",
    "ProtoFactory",
    "QueryResultIterator",
    "TraceProcessor",
    "TraceProcessorBackend",
]
