"""Count the operations of WebAssembly that each query of the library takes on a trace.

    python -m benchmarks.operations TRACE.json.gz [TRACE.json.gz] [--together kernels,streams,gaps]

No load of the machine changes the count, and it varies by less than a thousandth from run to run:
it tells whether SQL became cheaper where seconds do not. It is the fuel of wasmtime, of which each
operation takes one. One module is compiled that counts (about 4 s, kept nowhere); each trace is
repaired and loaded once, whole. Each query creates its tables anew, as when it is pasted into the
UI; with `--together` these queries alone run in turn in one session and share modules, and the
last row is their sum. Of two traces the counts stand side by side, with the growth.
"""

from __future__ import annotations

import argparse
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

from wasmtime import Store

import tp_tools
from tp_tools import engine, library
from tp_tools.engine import cache, wasm, wasm_module

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wasmtime import Config, Engine

_MOST = 1 << 62
"""Operations that a session may take: more than a year of them."""


class Counter:
    """The operations that the engine opened last has taken."""

    store: Store | None = None

    def taken(self) -> int:
        """Return the operations since the engine was opened."""
        if self.store is None:
            raise RuntimeError("no engine was opened")
        return _MOST - self.store.get_fuel()


@contextmanager
def counting() -> Iterator[Counter]:
    """Make engines opened in the block count their operations; they cannot be interrupted."""
    counter = Counter()
    make_config = wasm_module.make_config

    def config_that_counts(bits: int, *, stoppable: bool) -> Config:
        config = make_config(bits, stoppable=stoppable)
        config.consume_fuel = True
        return config

    def store_that_counts(of: Engine) -> Store:
        counter.store = Store(of)
        counter.store.set_fuel(_MOST)
        return counter.store

    with (
        patch.object(wasm_module, "make_config", config_that_counts),
        patch.object(wasm, "Store", store_that_counts),
        patch.object(wasm_module, "_loaded", {}),
        patch.object(wasm_module, "_free", {32: [], 64: []}),
        patch.object(cache, "cache_folder", lambda: None),
    ):
        yield counter


def operations(trace: Path, names: list[str], *, together: bool) -> dict[str, int]:
    """Return the operations of loading `trace` and of each query, by its name.

    Args:
        trace: is repaired and loaded whole.
        names: of queries of the library.
        together: whether modules are shared; their sum stands last, as "all".
    """
    found = library.queries()
    with counting() as counter, tp_tools.open_trace(trace) as tp:
        taken = {"(load)": counter.taken()}
        for name in names:
            before = counter.taken()
            if together:
                engine.run_file(tp, found[name])
            else:
                engine.query_rows(tp, library.expand(library.read(found[name])))
            taken[name] = counter.taken() - before
        if together:
            taken["all"] = sum(taken[name] for name in names)
    return taken


def main() -> None:
    """Print a row per query, in millions of operations."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("traces", type=Path, nargs="+")
    parser.add_argument("--together", metavar="NAMES", help="names with commas between them")
    options = parser.parse_args()
    names = options.together.split(",") if options.together else list(library.queries())
    small, *large = [
        operations(trace, names, together=bool(options.together)) for trace in options.traces[:2]
    ]
    heads = "".join(f"{trace.name:>40}" for trace in options.traces[:2])
    print(f"{'millions of operations':<24}{heads}")
    for name, count in small.items():
        print(f"{name:<24}{count / 1e6:40,.0f}", end="")
        for other in large:
            print(f"{other[name] / 1e6:40,.0f}   {other[name] / count:4.1f} times", end="")
        print()


if __name__ == "__main__":
    main()
