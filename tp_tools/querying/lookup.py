"""Look up queries: of the library, of a file, or of SQL that a user typed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from msgspec import Struct
from msgspec.structs import replace

from tp_tools import library
from tp_tools.errors import UsageError
from tp_tools.library import NO_VALUES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tp_tools.library import Header, Values
    from tp_tools.querying.trace_loader import LoadOptions

Origin = Literal["library", "file", "text"]

RANK = "rank"
"""Name of the column with ranks, and of the parameter that selects some."""

GPU = "gpu"
"""Name of the parameter that takes the name of the trace's GPUs."""


class Query(Struct, frozen=True):
    """SQL to run.

    Attributes:
        name: name of its file, for errors; None if it is from none.
        sql: its text.
        header: its header: scope, categories and args that it needs.
        origin: the library, a file of the user, or text of the user.
        ranks: the first and the last rank that it is about; None is open. A query about a rank
            is run on the traces of these ranks alone.
    """

    name: str | None
    sql: str
    header: Header
    origin: Origin
    ranks: tuple[int | None, int | None] = (None, None)

    def is_about(self, rank: int | None) -> bool:
        """Tell whether the query is about a rank; None: its number is unknown."""
        first, last = self.ranks
        if rank is None:
            return self.ranks == (None, None)
        return (first is None or first <= rank) and (last is None or rank <= last)

    def sql_on(self, gpu: str) -> str:
        """Return the text, with the name of the trace's GPUs where it asks for that.

        Args:
            gpu: the name; empty if it is not known. A value that was given stays.
        """
        return self.with_text(GPU, gpu).sql if gpu else self.sql

    def with_text(self, name: str, text: str) -> Query:
        """Return the query with the value of a TEXT parameter, if it declares it and has none."""
        parameters = [it for it in self.header.parameters if (it.name, it.type) == (name, "TEXT")]
        if not parameters:
            return self
        by_default = library.definitions(parameters, NO_VALUES, self.title)
        with_value = library.definitions(parameters, {name: text}, self.title)
        return replace(self, sql=self.sql.replace(by_default, with_value, 1))

    def args(self) -> frozenset[str] | None:
        """Return the args of slices that it may read; None: any of them."""
        return library.args_read(self.sql) if self.origin == "library" else None

    @property
    def title(self) -> str:
        """The name without its suffix: that of an answer among several."""
        return "SQL" if self.name is None else self.name.removesuffix(library.SUFFIX)


def from_file(name_or_path: str, values: Values = NO_VALUES) -> Query:
    """Read the query of this name in the library, or the file at this path.

    Args:
        name_or_path: a name in the library, or a path.
        values: values of parameters that the query declares.

    Raises:
        UsageError: there is neither, or it declares no such parameter, or with another type.
        InputError: the file cannot be read, or its header is wrong.
    """
    path = library.find(name_or_path)
    sql = library.read(path, values)
    origin: Origin = "library" if path in library.queries().values() else "file"
    header = library.parse(sql, path.name).needing(values)
    return Query(path.name, sql, header, origin, _ranks(header, values))


def from_names(names: str, values: Values = NO_VALUES) -> list[Query]:
    """Read one query, or several with commas between their names; each is read once.

    Args:
        names: names in the library, or paths.
        values: values of parameters that each of the queries declares.

    Raises:
        UsageError: there is no such query, two have one name, or one does not declare a parameter.
        InputError: a file cannot be read, or its header is wrong.
    """
    if "," not in names or library.is_file(Path(names).expanduser()):
        return [from_file(names, values)]
    return distinct([from_file(name.strip(), values) for name in names.split(",") if name.strip()])


def distinct(queries: Iterable[Query]) -> list[Query]:
    """Drop queries that are given twice.

    Raises:
        UsageError: there is none, or two have one name.
    """
    found = dict[str, Query]()
    for query in queries:
        if found.setdefault(query.title, query) != query:
            raise UsageError(f"two queries are named {query.title}: rename a file.")
    if not found:
        raise UsageError("give a query: `tp-tools sql` lists the library.")
    return list(found.values())


def from_text(sql: str, values: Values = NO_VALUES) -> Query:
    """Make a query of SQL that the user typed.

    Args:
        sql: one or several statements.
        values: values of parameters that its header declares.

    Raises:
        UsageError: it declares no such parameter, or with another type.
        InputError: it begins with a wrong header.
    """
    header = library.parse(sql, "the query").needing(values)
    text = library.with_macros(sql, "the query", values)
    return Query(None, text, header, "text", _ranks(header, values))


def _ranks(header: Header, values: Values) -> tuple[int | None, int | None]:
    """Return the ranks that a value of the parameter `rank` names."""
    is_range = any(it.name == RANK and it.type == "RANGE" for it in header.parameters)
    return library.limits(values[RANK]) if is_range and RANK in values else (None, None)


def needing(how: LoadOptions, queries: Sequence[Query]) -> LoadOptions:
    """Restrict loading to the categories and args of slices that some of the queries may read."""
    header = library.combine([query.header for query in queries])
    return replace(how, needs=header.needs, args=library.union([it.args() for it in queries]))
