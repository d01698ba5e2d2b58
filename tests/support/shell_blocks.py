"""Commands of the `sh` blocks of pages, as a shell takes them apart."""

from __future__ import annotations

import glob
import itertools
import re
import shlex
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

_BLOCK = re.compile(r"^``` ?sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`(tp-tools [^`]+)`")
_ENDS = {"&&", "||", "|", ";", "&", "(", ")"}
_SETTING = re.compile(r"\w+=.*", re.DOTALL)
_QUOTES = re.compile("[\"']")


class Command(NamedTuple):
    """A command.

    Attributes:
        words: the program and its arguments, with their quotes.
        stdin: the file that `<` names, else None.
    """

    words: tuple[str, ...]
    stdin: str | None = None

    def __str__(self) -> str:
        return " ".join(self.words)

    def arguments(self) -> list[str]:
        """Return the arguments without quotes; patterns become the files of the current folder."""
        given: list[str] = []
        for word in self.words[1:]:
            files = [] if _QUOTES.search(word) else sorted(glob.glob(word))  # noqa: PTH207  as a shell
            given += files or shlex.split(word)
        return given


def blocks(page: str) -> list[list[Command]]:
    """Return the commands of each block of a page, in order, and those of `sh -c '...'`."""
    return [
        [it for line in block.replace("\\\n", " ").split("\n") for it in _of_line(line)]
        for block in _BLOCK.findall(page)
    ]


def inline(page: str) -> list[Command]:
    """Return the commands that the prose of a page names."""
    prose = re.sub(r"^```.*?^```", "", page, flags=re.MULTILINE | re.DOTALL)
    return [it for line in _INLINE.findall(prose) for it in _of_line(line)]


def _of_line(line: str) -> Iterator[Command]:
    lexer = shlex.shlex(line, posix=False, punctuation_chars=True)
    lexer.whitespace_split = True
    words: list[str] = []
    for word in [*lexer, ";"]:
        if word not in _ENDS:
            words.append(word)
            continue
        yield from _of_words(words)
        words = []


def _of_words(words: list[str]) -> Iterator[Command]:
    while words and _SETTING.fullmatch(words[0]):
        words = words[1:]
    plain: list[str] = []
    stdin = None
    rest = iter(words)
    for word in rest:
        if word in {"<", ">"}:
            name = next(rest)
            stdin = name if word == "<" else stdin
        else:
            plain.append(word)
    if plain:
        yield Command(tuple(plain), stdin)
    for before, word in itertools.pairwise(plain):
        if before == "-c":
            yield from _of_line(shlex.split(word)[0])
