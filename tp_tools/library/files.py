"""Finds and reads the `.sql` files of the library, and those of users.

The files lie in `sql/` at the top of the source tree and in `tp_tools/sql` in the wheel.
"""

import difflib
from pathlib import Path

from tp_tools.errors import InputError, UsageError

SUFFIX = ".sql"


def queries() -> dict[str, Path]:
    """The queries that come with tp-tools: file by name (without `.sql`), sorted by name."""
    return {path.stem: path for path in sorted(folder().glob(f"*{SUFFIX}"))}


def check(name: str) -> Path:
    """A query that verifies a result; these are not part of the library."""
    return folder() / "checks" / f"{name}{SUFFIX}"


def folder() -> Path:
    """The folder that holds the library: `sql/`."""
    package = Path(__file__).parents[1]
    in_wheel = package / "sql"
    return in_wheel if in_wheel.is_dir() else package.parent / "sql"


def find(name_or_path: str) -> Path:
    """The file that is meant by `allreduce`, `allreduce.sql` or `./my/allreduce.sql`.

    A name in the library comes before a file in the current folder.

    Raises:
        UsageError: there is neither.
    """
    known = queries()
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
