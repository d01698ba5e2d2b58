"""Write commands that are ready to paste: with the names of the traces."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tp_tools.reporting.model import Figure

TRACES = "TRACES"
"""Stands in a command for the names of all traces."""

_MOST_NAMES = 2
"""Names up to which a command shows each; of more it shows a pattern."""


class Commands(Struct, frozen=True):
    """The commands of a page.

    Attributes:
        files: names of the traces, without folders.
    """

    files: Sequence[str]

    def of_figure(self, figure: Figure) -> str:
        """Return the command that prints the numbers of a figure, to be copied."""
        return self._template(figure).replace(TRACES, " ".join(map(quoted, self.files)))

    def shown(self, figure: Figure) -> str:
        """Return that command for display: with a pattern in place of many names."""
        return self._template(figure).replace(TRACES, self.names())

    def names(self) -> str:
        """Name the traces for a shell: each, or, of many, by a pattern that matches them."""
        if len(self.files) <= _MOST_NAMES:
            return " ".join(map(quoted, self.files))
        start = _common_start(self.files)
        rest = [name[len(start) :][::-1] for name in self.files]
        end = _common_start(rest)[::-1]
        return f"{quoted(start) if start else ''}*{quoted(end) if end else ''}"

    @staticmethod
    def _template(figure: Figure) -> str:
        return figure.command or f"tp-tools query {figure.queries[0]} {TRACES}"


def _common_start(texts: Sequence[str]) -> str:
    return os.path.commonprefix(list(texts))  # noqa: RUF071  characters, not folders


def quoted(name: str) -> str:
    """Quote a name for a shell; one that begins with a dash is no option."""
    return shlex.quote(f"./{name}" if name.startswith("-") and name != "-" else name)
