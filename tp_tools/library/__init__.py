"""Find queries of the SQL library (`sql/NAME.sql`) and the modules they include (`sql/tpt/`).

`find` and `read` turn a name or path into SQL text with values of its parameters, `parse` reads its
header, `with_parameters` sets constants that it defines itself, and `expand` replaces its INCLUDEs
by text that runs in any Perfetto.
"""

from tp_tools.library.files import (
    SUFFIX,
    check,
    find,
    is_file,
    queries,
    read,
)
from tp_tools.library.given import Table, reads, tables, tables_read, without
from tp_tools.library.header import Header, Scope, combine, parse, union, with_macros
from tp_tools.library.modules import PACKAGE, args_read, expand, includes_modules, modules
from tp_tools.library.parameters import with_parameters
from tp_tools.library.settings import (
    NO_VALUES,
    Parameter,
    Values,
    assignments,
    definitions,
    limits,
)

__all__ = [
    "NO_VALUES",
    "PACKAGE",
    "SUFFIX",
    "Header",
    "Parameter",
    "Scope",
    "Table",
    "Values",
    "args_read",
    "assignments",
    "check",
    "combine",
    "definitions",
    "expand",
    "find",
    "includes_modules",
    "is_file",
    "limits",
    "modules",
    "parse",
    "queries",
    "read",
    "reads",
    "tables",
    "tables_read",
    "union",
    "with_macros",
    "with_parameters",
    "without",
]
