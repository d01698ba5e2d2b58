"""Drive `git bisect` in a repository, and put it back afterwards."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

from msgspec import Struct

from tp_tools.errors import InputError, OutputError, UsageError
from tp_tools.processes import signals

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FOUND = "is the first bad commit"
_ALL_SKIPPED = "only 'skip'ped commits left"
"""What git says when it ends."""

_PULL_REQUEST = re.compile(r"(?:pr/|#)(\d+)")


class Commit(Struct, frozen=True):
    """A commit.

    Attributes:
        id: its full hash.
        subject: the first line of its message.
    """

    id: str
    subject: str

    @property
    def short(self) -> str:
        """The first ten digits of its hash."""
        return self.id[:10]

    def __str__(self) -> str:
        """Return its short hash and subject, for messages."""
        return f"{self.short} ({self.subject})"


class Repository(Struct, frozen=True):
    """A git repository with a work tree.

    Attributes:
        folder: the work tree.
    """

    folder: Path

    def git(self, *arguments: str) -> str:
        """Run git, and return what it prints.

        Raises:
            InputError: git is not there, or refuses.
        """
        try:
            done = subprocess.run(  # noqa: S603  git with arguments of our own
                ["git", "-C", str(self.folder), *arguments],  # noqa: S607  the user's git
                check=False,
                capture_output=True,
                text=True,
                stdin=subprocess.DEVNULL,
                env={**os.environ, "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0"},
            )
        except FileNotFoundError as error:
            raise InputError("git is not installed.") from error
        if done.returncode:
            said = " ".join((done.stderr + done.stdout).split())
            raise InputError(f"git {arguments[0]}: {said}")
        return done.stdout.strip()

    def commit(self, revision: str) -> Commit:
        """Return the commit of a revision, or of a pull request (pr/123).

        Raises:
            InputError: there is no such commit.
        """
        if match := _PULL_REQUEST.fullmatch(revision):
            revision = self._fetched(match[1])
        found, _, subject = self.git("log", "-1", "--format=%H %s", revision, "--").partition(" ")
        return Commit(found, subject)

    def _fetched(self, number: str) -> str:
        """Fetch the head of a pull request: by `gh` where it is there, else as GitHub names it."""
        if shutil.which("gh"):
            before = self.head()
            done = subprocess.run(  # noqa: S603  a number
                ["gh", "pr", "checkout", number, "--detach"],  # noqa: S607  the user's gh
                check=False,
                capture_output=True,
                text=True,
                cwd=self.folder,
            )
            if done.returncode:
                raise InputError(f"gh pr checkout {number}: {' '.join(done.stderr.split())}")
            found = self.git("rev-parse", "HEAD")
            self.git("checkout", "-q", before, "--")
            return found
        self.git("fetch", "-q", "origin", f"pull/{number}/head")
        return self.git("rev-parse", "FETCH_HEAD")

    def head(self) -> str:
        """Return the name of the branch that is checked out, else the commit."""
        name = self.git("rev-parse", "--abbrev-ref", "HEAD")
        return self.git("rev-parse", "HEAD") if name == "HEAD" else name

    def check_clean(self) -> None:
        """Refuse to check commits out over changes.

        Raises:
            UsageError: tracked files are changed, or a bisection is going on.
        """
        if self.git("status", "--porcelain", "--untracked-files=no"):
            raise UsageError(f"{self.folder}: has changes. Commit or stash them.")
        if self.git("for-each-ref", "refs/bisect"):
            raise UsageError(f"{self.folder}: is bisected already. `git bisect reset` ends that.")

    def checkout(self, commit: Commit) -> None:
        """Check a commit out."""
        self.git("checkout", "-q", "--detach", commit.id, "--")

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Put the repository back as it is, after the block or at a signal.

        Raises:
            OutputError: it cannot be put back.
        """
        before = self.head()

        def restore() -> None:
            if self.git("for-each-ref", "refs/bisect"):
                self.git("bisect", "reset")
            self.git("checkout", "-q", before, "--")

        forget = signals.at_end(restore)
        try:
            yield
        finally:
            forget()
            try:
                restore()
            except InputError as error:
                raise OutputError(f"{self.folder}: is not put back: {error}") from error

    def start(self, good: Commit, bad: Commit) -> bool:
        """Begin a bisection.

        Returns:
            Whether there are commits to judge.

        Raises:
            InputError: `good` is not before `bad`.
        """
        if good.id not in self.git("merge-base", good.id, bad.id).split():
            raise InputError(f"{good.short} is not before {bad.short}.")
        return _FOUND not in self.git("bisect", "start", "--no-checkout", bad.id, good.id)

    def next(self) -> Commit:
        """Return the commit to judge next."""
        return self.commit("BISECT_HEAD")

    def mark(self, commit: Commit, word: str) -> bool:
        """Say that a commit is good, bad or to be skipped.

        Returns:
            Whether there are more commits to judge.
        """
        try:
            return _FOUND not in self.git("bisect", word, commit.id)
        except InputError as error:
            if _ALL_SKIPPED not in str(error):
                raise
            return False

    def suspects(self) -> list[Commit]:
        """Return the commits of which one is the first bad one, the oldest first."""
        refs = self.git("for-each-ref", "--format=%(objectname)", "refs/bisect/good-*")
        good = [f"^{it}" for it in refs.split()]
        lines = self.git("log", "--reverse", "--format=%H %s", "refs/bisect/bad", *good, "--")
        pairs = (line.partition(" ") for line in lines.split("\n"))
        return [Commit(it, subject) for it, _, subject in pairs]

    def parent(self, commit: Commit) -> Commit:
        """Return the first parent of a commit."""
        return self.commit(f"{commit.id}^")
