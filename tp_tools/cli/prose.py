"""Break lines for people at the width of their terminal, between words."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING

from tp_tools.formatting import lines

if TYPE_CHECKING:
    from typing import TextIO

_INDENT = 2


def wrapped(text: str, stream: TextIO | None, indent: int | None = None) -> str:
    """Break the lines of a text that are too long for a terminal; leave it as it is elsewhere.

    Words that are longer than a line, such as paths, stay whole, so that they can be copied.

    Args:
        text: one line or more.
        stream: where the text goes.
        indent: characters before the further lines of a broken line; None for two more than
            before the first.
    """
    if stream is None or not stream.isatty():
        return text
    width = _width(stream)
    return "\n".join(_wrapped_line(line, width, indent) for line in text.split("\n"))


def _width(stream: TextIO) -> int:
    """Return the columns of the terminal that a stream goes to; stdout may go elsewhere."""
    with suppress(OSError):
        if "COLUMNS" not in os.environ and (width := os.get_terminal_size(stream.fileno()).columns):
            return width
    return shutil.get_terminal_size().columns


def _wrapped_line(line: str, width: int, indent: int | None) -> str:
    if len(line) <= width:
        return line
    own = len(line) - len(line.lstrip())
    further = " " * (own + _INDENT if indent is None else indent)
    return "\n".join(lines(line, width, further=further))
