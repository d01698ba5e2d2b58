"""Read the parts of C++ names as profilers write them, demangled, mangled or cut off.

A full demangler is not needed, since a short name drops most of what it decodes. Of 16 mangled
names of recorded traces the package itanium-demangler reads 10, in 8 ms each: it knows neither
`DF16b` (bfloat16) nor `Tn` of C++20. The package cxxfilt calls the demangler of libstdc++: that of
GCC 12 reads none of them. Mangling: https://itanium-cxx-abi.github.io/cxx-abi/abi.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterator

_ANONYMOUS = re.compile(
    r"(?:\(anonymous namespace\)|<unnamed>|\(unnamed\)|\{anonymous\}"
    r"|_GLOBAL__N_\w*|_INTERNAL_\w+)::"
)
_CLOSES = {")": "(", "}": "{", "]": "["}
_LITERAL = re.compile(r"L[a-z](n?\d+)E|(\d+)")
_LENGTH = re.compile(r"\d{1,6}(?!\d)")
_SUBSTITUTION = re.compile(r"(?:N|S[tabsio]|S[0-9A-Z]*_|L(?=\d))*")


class CppName(Struct, frozen=True):
    """The name of a function or a class.

    Attributes:
        path: namespaces, and the name itself as the last one, without their arguments.
        arguments: template arguments of the name, as text.
        lambda_types: types of the parameters of the last lambda within it, as text; empty without.
    """

    path: tuple[str, ...]
    arguments: tuple[str, ...] = ()
    lambda_types: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path[-1]


def is_cpp(name: str) -> bool:
    """Tell whether a name has a path, template arguments or parameters, or is mangled."""
    return is_mangled(name) or any(mark in name for mark in ("::", "<", "("))


def is_mangled(name: str) -> bool:
    """Tell whether a name is mangled by the Itanium ABI."""
    return name.startswith("_Z")


def parse(name: str) -> CppName:
    """Read a name.

    Args:
        name: a function with or without its return type, template arguments and parameters, a
            class, or a lambda; a lambda has the name of the function that holds it.
    """
    if is_mangled(name):
        return _parse_mangled(name)
    text = _ANONYMOUS.sub("", name).replace("operator()", "operator_call")
    outside = list(_outside(text))
    call = next((i for i in outside if text[i] == "("), len(text))
    start = max((i + 1 for i in outside if i < call and text[i] == " "), default=0)
    parts = split(text[start:call], "::")
    if len(parts) > 1 and parts[-1].startswith("operator_call"):
        parts.pop()
    path = tuple(_before_arguments(part) for part in parts)
    return CppName(path, _arguments(parts[-1]), _lambda_types(text, outside))


def split(text: str, separator: str) -> list[str]:
    """Split a text at a separator, but not within brackets; the parts are stripped."""
    outside = set(_outside(text))
    parts, start = list[str](), 0
    index = text.find(separator)
    while index >= 0:
        if index in outside:
            parts.append(text[start:index].strip())
            start = index + len(separator)
        index = text.find(separator, index + len(separator))
    return [*parts, text[start:].strip()]


def words(name: str) -> list[str]:
    """List the identifiers and numbers of a name, in order; the names of types are left whole."""
    if is_mangled(name):
        return [text for _, text in _mangled_words(name)]
    return re.findall(r"\w+", _ANONYMOUS.sub("", name))


def _outside(text: str) -> Iterator[int]:
    """List the places outside brackets; an opening bracket counts as outside, a closing one not."""
    opened: list[str] = []
    before = ""
    for index, char in enumerate(text):
        if char in "({[" or (char == "<" and before != ")"):
            if not opened:
                yield index
            opened.append(char)
        elif char in _CLOSES:
            while opened and opened.pop() != _CLOSES[char]:
                pass
        elif char == ">" and before != "-" and opened and opened[-1] == "<":
            opened.pop()
        elif not opened:
            yield index
        before = char


def _before_arguments(part: str) -> str:
    return part.partition("<")[0]


def _arguments(part: str) -> tuple[str, ...]:
    start = part.find("<")
    if start < 0:
        return ()
    end = part.rfind(">")
    return tuple(split(part[start + 1 : end if end > start else len(part)], ","))


def _lambda_types(text: str, outside: list[int]) -> tuple[str, ...]:
    opened = [i for i in outside if text.startswith("{lambda(", i)]
    if not opened:
        return ()
    inner = text[opened[-1] + len("{lambda(") :]
    depth_end = next(_closing(inner), len(inner))
    return tuple(part for part in split(inner[:depth_end], ",") if part)


def _closing(text: str) -> Iterator[int]:
    """List the places of the brackets that close what was opened before the text."""
    depth = 0
    for index, char in enumerate(text):
        depth += (char == "(") - (char == ")")
        if depth < 0:
            yield index
            return


def _parse_mangled(name: str) -> CppName:
    """Read the path and the first class among the template arguments of a mangled name."""
    path: list[str] = []
    place = 2
    arguments: list[str] = []
    while place < len(name):
        place = _skip(name, place)
        word, after = _source_name(name, place)
        if not word:
            break
        path.append(word)
        place = after
    if name[place : place + 1] == "I":
        arguments = list(_joined(_mangled_words(name[place:])))
    return CppName(tuple(_without_anonymous(path)) or (name,), tuple(arguments))


def _without_anonymous(path: list[str]) -> Iterator[str]:
    return (word for word in path if not word.startswith("_GLOBAL__N_"))


def _skip(name: str, place: int) -> int:
    """Pass nested-name and substitution marks ahead of an identifier."""
    match = _SUBSTITUTION.match(name, place)
    return match.end() if match else place


def _source_name(name: str, place: int) -> tuple[str, int]:
    """Read an identifier with its length ahead of it; empty if there is none."""
    match = _LENGTH.match(name, place)
    if match is None:
        return "", place
    end = match.end() + int(match[0])
    return name[match.end() : end], end


def _mangled_words(name: str) -> Iterator[tuple[int, str]]:
    """List the identifiers and the literals of a mangled name with their places."""
    place = 0
    while (match := _LITERAL.search(name, place)) is not None:
        if match[1] is not None:
            yield match.start(), match[1].replace("n", "-")
            place = match.end()
            continue
        if name[match.start() - 1 : match.start()] in {"S", "T"}:  # S1_, T0_
            place = match.end()
            continue
        word, place = _source_name(name, match.start())
        before = name[match.start() - 1 : match.start()]
        is_literal = before == "E" and word.startswith("E")  # the value of an enum: E7E
        if is_literal or before == "F" or not re.fullmatch(r"[A-Za-z_]\w*", word):
            place = match.end()  # DF16b is bfloat16
            if is_literal:
                yield match.start(), match[0]
        else:
            yield match.start(), word


def _joined(found: Iterator[tuple[int, str]]) -> Iterator[str]:
    """Join identifiers that follow each other at once: conv::kernel::Convolution."""
    path, end = list[str](), -1
    for start, word in found:
        if start != end and path:
            yield "::".join(path)
            path = []
        path.append(word)
        end = start + len(str(len(word))) + len(word)
    if path:
        yield "::".join(path)
