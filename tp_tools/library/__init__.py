"""The SQL library: queries (`sql/NAME.sql`) and the modules that they include (`sql/tpt/`).

`find` and `read` turn a name or path into SQL text, `parse` reads its header, `with_parameters`
sets its constants, and `expand` replaces its INCLUDEs by text that runs in any Perfetto.
"""

from tp_tools.library.files import (
    SUFFIX,
    check,
    find,
    queries,
    read,
)
from tp_tools.library.header import Header, Scope, combine, parse
from tp_tools.library.modules import PACKAGE, expand, includes_modules, modules
from tp_tools.library.parameters import with_parameters

__all__ = [
    "PACKAGE",
    "SUFFIX",
    "Header",
    "Scope",
    "check",
    "combine",
    "expand",
    "find",
    "includes_modules",
    "modules",
    "parse",
    "queries",
    "read",
    "with_parameters",
]
