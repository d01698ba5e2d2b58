"""Fuzz the readers of text, guided by the code that inputs reach: needs `pip install atheris`.

    python -m tools.fuzz.guided -max_total_time=600 -seed=7 CORPUS/

Options are those of libFuzzer; CORPUS is a folder that keeps inputs which reach new code, and is
filled from the fixtures while it is empty. An input is read as a trace and as the header of a
query. Each ends in success or in a TpToolsError; anything else stops the run, and its input stays.
"""

from __future__ import annotations

import sys
import tempfile
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from random import Random

import atheris

with atheris.instrument_imports(include=["tp_tools.chrome", "tp_tools.files", "tp_tools.library"]):
    from tools.fuzz import mutate
    from tools.fuzz.corpus import corpus
    from tp_tools import chrome, files, library
    from tp_tools.errors import TpToolsError
    from tp_tools.library.header import parse

    for package in (chrome, files, library):  # also those that functions import
        for module in iter_modules(package.__path__, f"{package.__name__}."):
            import_module(module.name)

SEEDS = 200
LONGEST = 4096
"""Bytes of an input, unless -max_len says otherwise."""
PATIENCE_S = 20
"""Seconds after which an input counts as one that hangs, unless -timeout says otherwise."""


def fill(folder: Path) -> None:
    """Write traces and headers to start from, unless there are some."""
    folder.mkdir(exist_ok=True, parents=True)
    if any(folder.iterdir()):
        return
    whole, random = corpus(), Random(0)
    for number in range(SEEDS):
        seed = random.choice(whole.seeds)
        (folder / f"trace{number}").write_bytes(mutate.text(random, seed, 6, mutations=0))
    for number, text in enumerate(whole.queries):
        (folder / f"query{number}").write_text(text[:LONGEST], "utf-8")


def run(data: bytes, path: Path) -> None:
    """Read an input as a trace, and as a query.

    Args:
        data: the input.
        path: of a file that it may be written to.
    """
    path.write_bytes(data)
    with suppress(TpToolsError):
        chrome.read(files.Source(path, "in.json"))
    sql = data.decode("utf-8", "replace")
    with suppress(TpToolsError):
        parse(sql, "query.sql")
        library.expand(sql)


def main() -> None:
    """Run libFuzzer."""
    options = [word for word in sys.argv[1:] if word.startswith("-")]
    folders = [word for word in sys.argv[1:] if not word.startswith("-")]
    for name in folders[:1]:
        fill(Path(name))
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "in.json"
        words = [sys.argv[0], f"-max_len={LONGEST}", f"-timeout={PATIENCE_S}", *options, *folders]
        atheris.Setup(words, lambda data: run(data, path))
        atheris.Fuzz()


if __name__ == "__main__":
    main()
