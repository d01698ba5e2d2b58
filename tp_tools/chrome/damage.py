"""Record the text that was left out of a damaged trace."""

from __future__ import annotations

import re
from collections import Counter

from msgspec import Struct, field

from tp_tools.trace.model import TextDamage

_NAME = re.compile(rb'"name"\s*:\s*"([^"]{0,80})')
_KEY = re.compile(rb'\s*"([^"]{0,80})')
SHOWN = 5
"""Number of damaged stretches of text that are recorded with their offsets."""


def event_damage(byte: int, text: bytes) -> TextDamage:
    """Describe a damaged stretch of text among the events, which begins at offset `byte`."""
    return _damage(byte, text, _NAME.search(text))


def member_damage(byte: int, text: bytes) -> TextDamage:
    """Describe a damaged member of the outermost object, which begins at offset `byte`."""
    return _damage(byte, text, _KEY.match(text))


def _damage(byte: int, text: bytes, name: re.Match[bytes] | None) -> TextDamage:
    return TextDamage(byte, len(text), name[1].decode(errors="replace") if name else "")


class Losses(Struct):
    """Repairs and losses of salvaging.

    Attributes:
        repairs: counts by kind, of repairs and of stretches that were left out.
        first: the first `SHOWN` stretches that were left out.
    """

    repairs: Counter[str] = field(default_factory=Counter)
    first: list[TextDamage] = field(default_factory=list)

    def note(self, kind: str, damage: TextDamage) -> None:
        """Count a stretch of text that was left out; record it if it is among the first."""
        self.repairs[kind] += 1
        if len(self.first) < SHOWN:
            self.first.append(damage)
