"""Make a Perfetto UI extension server of the library: static JSON files that any host can serve.

Each module of `sql/tpt/` is one there, and so is each question: `tpt.allreduce` makes the view
`tpt_allreduce`. Macros are entries of the UI's command palette. Formats, in Perfetto's sources:
docs/visualization/extension-server-protocol.md and commands-automation-reference.md.
"""

from __future__ import annotations

import json
import re

from tp_tools.library.files import queries, read
from tp_tools.library.modules import PACKAGE, modules

NAME = "tp-tools"
MANIFEST = "manifest"
MACROS = "modules/default/macros"
SQL_MODULES = "modules/default/sql_modules"
"""Paths of the files; the UI selects the module `default` by itself."""

_STATEMENT = re.compile(r"^(?=(?:SELECT|WITH)\b)", re.MULTILINE)

_TABS = (
    ("Verdict", "verdict", "what bounds each step"),
    ("WhoIsLate", "stragglers", "who is late"),
    ("Idle", "idle", "why the GPUs idle"),
    ("Gaps", "gaps", "longest gaps"),
    ("Kernels", "kernels", "kernels by name"),
    ("Overlaps", "overlaps", "overlaps"),
)
"""Macros that show the rows of a question: id, question, name."""

_STREAMS = r"(^|\W)stream \d+\b"
"""Names of the tracks of GPU streams, in traces of one rank and in merged ones."""


def files() -> dict[str, str]:
    """Return the files of the server: JSON text by path.

    Raises:
        InputError: a file of the library cannot be read.
    """
    features = [{"name": "macros"}, {"name": "sql_modules"}]
    manifest = {
        "name": NAME,
        "namespace": PACKAGE,
        "features": features,
        "modules": [{"id": "default", "name": "Default"}],
    }
    sql = [{"name": name, "sql": text} for name, text in sorted(sql_modules().items())]
    return {
        MANIFEST: _json(manifest),
        MACROS: _json({"macros": macros()}),
        SQL_MODULES: _json({"sql_modules": sql}),
    }


def sql_modules() -> dict[str, str]:
    """Return the SQL of all modules by name, those that make a view of a question among them.

    Raises:
        InputError: a file of the library cannot be read.
    """
    views = {f"{PACKAGE}.{name}": _view(name, read(path)) for name, path in queries().items()}
    return {**modules(), **views}


def _view(name: str, sql: str) -> str:
    """Put the one statement of a question into a view.

    Args:
        name: of the question.
        sql: its header, parameters with their defaults, INCLUDEs, and a SELECT at the end.
    """
    before, select = _STATEMENT.split(sql, maxsplit=1)
    return f"{before}CREATE OR REPLACE PERFETTO VIEW {PACKAGE}_{name} AS\n{select}"


def macros() -> list[dict[str, object]]:
    """Return the macros: id, name and commands of each."""
    tabs = [_macro(macro, title, _show(question)) for macro, question, title in _TABS]
    return [
        *tabs,
        _macro("PinStreams", "pin the GPU streams", _command("PinTracksByRegex", _STREAMS)),
        _macro(
            "AddCollectives",
            "add the collectives as tracks",
            _command("RunQuery", f"{_include('collective.timeline')};"),
            _command(
                "AddDebugSliceTrackWithPivot",
                _rows_of("collective_timeline"),
                "part",
                NAME,
            ),
        ),
    ]


def _show(question: str) -> dict[str, object]:
    """Return the command that shows the rows of a question in a tab."""
    return _command("RunQueryAndShowTab", f"{_include(question)};\n{_rows_of(question)};")


def _include(module: str) -> str:
    return f"INCLUDE PERFETTO MODULE {PACKAGE}.{module}"


def _rows_of(table: str) -> str:
    return f"SELECT * FROM {PACKAGE}_{table}"  # noqa: S608  a name of the library


def _macro(name: str, title: str, *commands: dict[str, object]) -> dict[str, object]:
    return {"id": f"{PACKAGE}.{name}", "name": f"{NAME}: {title}", "run": list(commands)}


def _command(name: str, *args: str) -> dict[str, object]:
    return {"id": f"dev.perfetto.{name}", "args": list(args)}


def _json(value: object) -> str:
    """Write JSON with a line per member, so that a change is a change of one line."""
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"
