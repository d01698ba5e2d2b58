"""Serve the caller of the Python API: its paths, and warnings at its line."""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING, TypeAlias

from tp_tools.progress import Reporter

if TYPE_CHECKING:
    from collections.abc import Iterable

PathLike: TypeAlias = "str | os.PathLike[str]"


class InputWarning(UserWarning):
    """A file was left out or mended, or ranks are missing."""


class LossWarning(InputWarning):
    """A part of a file is lost: cut short, damaged, or dropped by TraceProcessor on loading."""


def paths(given: PathLike | Iterable[PathLike]) -> tuple[str, ...]:
    """Return one path or several as text."""
    found = [given] if isinstance(given, str | os.PathLike) else given
    return tuple(os.fspath(path) for path in found)


class KeptWarnings(Reporter):
    """Keeps warnings and facts about the input, to give them at the line that called the API."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, type[InputWarning]]] = []

    def note(self, line: str) -> None:
        """Keep a fact about the input."""
        self.lines.append((line, InputWarning))

    def warn(self, line: str) -> None:
        """Keep a warning."""
        self.lines.append((line, LossWarning))

    def warn_caller(self) -> None:
        """Warn at the line that called the function of the API that calls this."""
        for line, category in self.lines:
            warnings.warn(line, category, stacklevel=3)
