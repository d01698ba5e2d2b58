"""Find and read the `.sql` files of the library and of users.

The files lie in `sql/` at the top of the source tree and in `tp_tools/sql` in the wheel.
"""

import difflib
from pathlib import Path

from tp_tools.errors import InputError, UsageError
from tp_tools.library.header import with_macros
from tp_tools.library.settings import NO_VALUES, Values

SUFFIX = ".sql"


def queries() -> dict[str, Path]:
    """Return the queries of the library: file by name (without `.sql`), sorted by name."""
    return {path.stem: path for path in sorted(folder().glob(f"*{SUFFIX}"))}


def check(name: str) -> Path:
    """Return the file of a query that verifies a result; these are not part of the library."""
    return folder() / "checks" / f"{name}{SUFFIX}"


def folder() -> Path:
    """Return the folder that holds the library: `sql/`."""
    package = Path(__file__).parents[1]
    in_wheel = package / "sql"
    return in_wheel if in_wheel.is_dir() else package.parent / "sql"


def find(name_or_path: str) -> Path:
    """Find the file of `allreduce`, `allreduce.sql` or `./my/allreduce.sql`.

    A name in the library has precedence over a file in the current folder.

    Raises:
        UsageError: there is neither such a query nor such a file.
    """
    known = queries()
    name = name_or_path.removesuffix(SUFFIX)
    if name in known:
        return known[name]
    path = Path(name_or_path).expanduser()
    if is_file(path):
        return path
    close = difflib.get_close_matches(Path(name).name, known, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(close)}?" if close else "`tp-tools sql` lists the library"
    raise UsageError(f"no query and no file is named {name_or_path!r}; {hint}")


def is_file(path: Path) -> bool:
    """Tell whether a path is that of a file; what is too long for a name is none."""
    try:
        return path.is_file()
    except OSError:
        return False


def read(path: Path, values: Values = NO_VALUES) -> str:
    """Read the text of a query file, with a macro for each parameter that it declares.

    Args:
        path: the file.
        values: values of parameters by name; the others get their defaults.

    Raises:
        InputError: the file cannot be read, is not UTF-8, or declares a parameter wrongly.
        UsageError: a value is of no parameter, or not of its type.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as SQL text: {error}") from error
    return with_macros(text, path.name, values)
