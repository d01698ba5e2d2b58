"""Build a commit, and run a command that records traces."""

from __future__ import annotations

import os
import subprocess
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from tp_tools.files import temporary

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tp_tools.comparison.repository import Commit

FOLDER = "TP_TOOLS_TRACE_DIR"
"""Environment variable that names the folder in which a command is to write its traces."""

_TAIL = 3
"""Lines of the output of a command that failed."""


class NotRecorded(Exception):  # noqa: N818  the name reads as the fact it states
    """A commit did not build, or its command failed or wrote no trace.

    Attributes:
        commit: the commit; None where it is not known.
    """

    def __init__(self, message: str, commit: Commit | None = None) -> None:
        super().__init__(message)
        self.commit = commit


class Recipe(Struct, frozen=True):
    """How a commit is recorded.

    Attributes:
        command: the command and its arguments; it writes traces into $TP_TOOLS_TRACE_DIR, or where
            `pattern` finds them.
        build: a command line for a shell that builds the commit; "" for none.
        pattern: glob of the traces that the command writes, from the work tree; "" for all files in
            $TP_TOOLS_TRACE_DIR.
        warm_ups: runs before those that count.
        limit_s: seconds that a build or a run may take; None for no limit.
    """

    command: Sequence[str]
    build: str = ""
    pattern: str = ""
    warm_ups: int = 1
    limit_s: float | None = None


def build(recipe: Recipe, tree: Path) -> None:
    """Build what is checked out.

    Args:
        recipe: how.
        tree: the work tree.

    Raises:
        NotRecorded: it does not build.
    """
    if recipe.build:
        _run(["sh", "-c", recipe.build], tree, recipe.limit_s, os.environ, "the build")


def record(recipe: Recipe, tree: Path, folder: Path, *, keep: bool) -> list[str]:
    """Run the command once.

    Args:
        recipe: how.
        tree: the work tree, in which it runs.
        folder: an empty folder for its traces.
        keep: whether to look for its traces.

    Returns:
        The traces that it wrote: the ranks of one recording.

    Raises:
        NotRecorded: it failed, or wrote no trace.
    """
    before = _written(recipe, tree, folder)
    environment = {**os.environ, FOLDER: str(folder)}
    _run(recipe.command, tree, recipe.limit_s, environment, "the command")
    if not keep:
        return []
    after = _written(recipe, tree, folder)
    found = [name for name, changed in sorted(after.items()) if before.get(name) != changed]
    if not found:
        where = recipe.pattern or f"${FOLDER}"
        raise NotRecorded(f"the command wrote no trace in {where}")
    return _moved(found, folder) if recipe.pattern else found


def _moved(names: Sequence[str], folder: Path) -> list[str]:
    """Move traces out of the work tree, so that the next run does not replace them."""
    moved = []
    for name in names:
        target = folder / Path(name).name
        Path(name).replace(target)
        moved.append(str(target))
    return moved


def _written(recipe: Recipe, tree: Path, folder: Path) -> dict[str, int]:
    """Return the traces that there are, with the times of their changes."""
    found = tree.glob(recipe.pattern) if recipe.pattern else folder.rglob("*")
    return {str(path): path.stat().st_mtime_ns for path in found if path.is_file()}


def _run(
    command: Sequence[str],
    tree: Path,
    limit_s: float | None,
    environment: os._Environ[str] | dict[str, str],
    what: str,
) -> None:
    """Run a command; its output goes nowhere but into the error.

    Raises:
        NotRecorded: it could not be started, failed, or took too long.
    """
    with temporary.folder() as folder, (folder / "output").open("w+b") as output:
        try:
            done = subprocess.run(  # noqa: S603  what the user asked for
                command,
                check=False,
                cwd=tree,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=limit_s,
            )
        except OSError as error:
            raise NotRecorded(f"{what} cannot be started: {error.strerror}") from error
        except subprocess.TimeoutExpired as error:
            raise NotRecorded(f"{what} took more than {limit_s:g} s") from error
        if done.returncode:
            output.seek(0)
            last = deque((line.decode(errors="replace").strip() for line in output), _TAIL)
            raise NotRecorded(f"{what} ended with {done.returncode}: {' | '.join(last)}")
