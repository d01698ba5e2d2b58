"""Load the templates of the page; what is put into them is escaped."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

from tp_tools.errors import UsageError
from tp_tools.formatting import unbroken

if TYPE_CHECKING:
    from jinja2 import Environment

HERE = Path(__file__).parent


def environment() -> Environment:
    """Return the environment of the templates in this folder.

    Raises:
        UsageError: Jinja2 is not installed.
    """
    try:
        from jinja2 import Environment  # noqa: PLC0415  an extra
    except ImportError as error:
        raise UsageError("a report needs Jinja2: pip install plotly jinja2.") from error
    return _environment(Environment)


@functools.cache
def _environment(make: type[Environment]) -> Environment:
    """Make it once, since it keeps what it has compiled."""
    from jinja2 import FileSystemLoader, StrictUndefined  # noqa: PLC0415  an extra

    made = make(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters["unbroken"] = unbroken
    return made
