"""The SQL library: questions (`sql/NAME.sql`) and the modules that they include (`sql/tpt/`).

Finds and reads the files, knows their headers, and expands INCLUDEs into text that can be pasted.
"""

from tp_tools.library.files import (
    SUFFIX,
    check,
    find,
    queries,
    read,
)
from tp_tools.library.header import Header, Scope, parse
from tp_tools.library.modules import PACKAGE, expand, includes_modules, modules
from tp_tools.library.parameters import with_parameters

__all__ = [
    "PACKAGE",
    "SUFFIX",
    "Header",
    "Scope",
    "check",
    "expand",
    "find",
    "includes_modules",
    "modules",
    "parse",
    "queries",
    "read",
    "with_parameters",
]
