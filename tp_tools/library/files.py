"""The SQL library: finds a `.sql` file by name or path, runs it, gives tuples or a frame.

The files lie in `sql/` at the top of the source tree and in `tp_tools/sql` in the wheel.
"""

import difflib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tp_tools.engine import Rows, query_rows
from tp_tools.errors import InputError, UsageError

if TYPE_CHECKING:
    import pandas as pd

    from tp_tools.engine.processor import Processor

SUFFIX = ".sql"
EXACT_IN_FLOAT = 1 << 53
"""Above it, a float64 does not hold every integer."""


def library() -> dict[str, Path]:
    """The queries that come with tp-tools: file by name (without `.sql`), sorted by name."""
    return {path.stem: path for path in sorted(_folder().glob(f"*{SUFFIX}"))}


def check(name: str) -> Path:
    """A query that verifies a result; these are not part of the library."""
    return _folder() / "checks" / f"{name}{SUFFIX}"


def _folder() -> Path:
    package = Path(__file__).parents[1]
    in_wheel = package / "sql"
    return in_wheel if in_wheel.is_dir() else package.parent / "sql"


def find(name_or_path: str) -> Path:
    """The file that is meant by `allreduce`, `allreduce.sql` or `./my/allreduce.sql`.

    A name in the library comes before a file in the current folder.

    Raises:
        UsageError: there is neither.
    """
    known = library()
    name = name_or_path.removesuffix(SUFFIX)
    if name in known:
        return known[name]
    path = Path(name_or_path).expanduser()
    if path.is_file():
        return path
    close = difflib.get_close_matches(Path(name).name, known, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(close)}?" if close else "`tp-tools sql` lists the library"
    raise UsageError(f"no query and no file is named {name_or_path!r}; {hint}")


def read(path: Path) -> str:
    """The text of a query file.

    Raises:
        InputError: it cannot be read, or is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as SQL text: {error}") from error


def run_rows(tp: "Processor", path: Path) -> Rows:
    """Runs a query file; the rows of its last statement, as tuples.

    Raises:
        InputError: the file cannot be read.
        SqlError: TraceProcessor refused it; the error names the file and the trace.
    """
    return query_rows(tp, read(path), path.name)


def run(tp: "Processor", path: Path) -> "pd.DataFrame":
    """Runs a query file; see `frame` for the columns' types, `run_rows` for errors."""
    return frame(run_rows(tp, path))


def frame(answer: Rows) -> "pd.DataFrame":
    """Rows as a frame; an empty answer keeps its columns (of dtype object).

    Whole numbers stay whole: SQL has a type per cell, so a column of integers is int64, or Int64
    where there are NULLs, and never a float, which would round nanoseconds. Where integers and
    floats mix, it is float64 if that holds them exactly, else object. Text is as pandas makes it.
    """
    import pandas as pd  # noqa: PLC0415  0.3 s, and `fix` needs no frame

    columns = zip(*answer.rows, strict=True) if answer.rows else [()] * len(answer.columns)
    series = [pd.Series(list(cells), dtype=_dtype(cells)) for cells in columns]
    # By position, since SQL allows two columns of one name.
    table = pd.concat(series, axis=1) if series else pd.DataFrame()
    return table.set_axis(list(answer.columns), axis=1)


def _dtype(cells: tuple[Any, ...]) -> str | None:
    """The pandas dtype of a column; None leaves it to pandas."""
    types = {type(cell) for cell in cells}
    known = types - {type(None)}
    if not known:
        return "object"
    if known == {int}:
        return "int64" if known == types else "Int64"
    if known == {float}:
        return "float64"
    if known == {int, float}:
        whole = (abs(cell) for cell in cells if isinstance(cell, int))
        return "float64" if max(whole) <= EXACT_IN_FLOAT else "object"
    return None if known == {str} else "object"
