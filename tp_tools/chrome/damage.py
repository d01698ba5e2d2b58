"""What was left out of a damaged trace, for the reader to look at."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

from tp_tools.trace.model import TextDamage

_NAME = re.compile(rb'"name"\s*:\s*"([^"]{0,80})')
_KEY = re.compile(rb'\s*"([^"]{0,80})')
SHOWN = 5
"""Of as many it is said where they are."""


def event_damage(byte: int, text: bytes) -> TextDamage:
    """What is said of a stretch of text among the events."""
    return _damage(byte, text, _NAME.search(text))


def member_damage(byte: int, text: bytes) -> TextDamage:
    """What is said of a member of the outermost object."""
    return _damage(byte, text, _KEY.match(text))


def _damage(byte: int, text: bytes, name: re.Match[bytes] | None) -> TextDamage:
    return TextDamage(byte, len(text), name[1].decode(errors="replace") if name else "")


@dataclass
class Losses:
    """What was left out or mended on the way.

    Attributes:
        repairs: how much, by kind.
        first: the first few that were left out.
    """

    repairs: Counter[str] = field(default_factory=Counter)
    first: list[TextDamage] = field(default_factory=list)

    def note(self, kind: str, damage: TextDamage) -> None:
        """Counts what was left out."""
        self.repairs[kind] += 1
        if len(self.first) < SHOWN:
            self.first.append(damage)
