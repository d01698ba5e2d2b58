"""Have the `nsys` of this machine export reports of Nsight Systems, which no one else reads.

An export is made once for a process, and removed when that ends.
"""

from __future__ import annotations

import atexit
import re
import shutil
import subprocess
from contextlib import ExitStack
from typing import TYPE_CHECKING

from tp_tools.errors import InputError
from tp_tools.files import temporary
from tp_tools.progress import SILENT

if TYPE_CHECKING:
    from pathlib import Path

    from tp_tools.progress import Reporter

_TEXT = re.compile(rb"\s*[{\[]")
_made: dict[tuple[Path, int, int], Path] = {}
_kept = ExitStack()


def readable(path: Path, name: str, reporter: Reporter = SILENT) -> Path:
    """Return the path of the export of a report.

    Args:
        path: the report.
        name: its name in messages.
        reporter: receives a note that the report is exported.

    Returns:
        The export; the report itself where no `nsys` is installed, or where it is JSON.

    Raises:
        InputError: `nsys` cannot export the report.
        OutputError: no temporary folder can be made.
        OSError: the file cannot be read.
    """
    program = shutil.which("nsys")
    if program is None or _is_text(path):
        return path
    status = path.stat()
    key = path.absolute(), status.st_size, status.st_mtime_ns
    if key not in _made:
        reporter.say(f"Exporting {name} with {program}.")
        _made[key] = _exported(program, path, name)
    return _made[key]


def _is_text(path: Path) -> bool:
    with path.open("rb") as file:
        return _TEXT.match(file.read(64)) is not None


def _exported(program: str, path: Path, name: str) -> Path:
    if not _made:
        atexit.register(_kept.close)
    out = _kept.enter_context(temporary.folder()) / "report.sqlite"
    command = [program, "export", "--type=sqlite", "--force-overwrite=true", f"--output={out}"]
    ran = subprocess.run(  # noqa: S603  the user's own nsys, on the file that they gave
        [*command, str(path.absolute())],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if ran.returncode or not out.is_file():
        said = (ran.stderr.strip() or ran.stdout.strip() or "no reason given").splitlines()[-1]
        raise InputError(f"{name}: {program} cannot export it: {said}")
    return out
