"""Replacing without an object per match."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from tp_tools.chrome.replacing import replaced

PATTERN = re.compile(rb"ab?|c")


@given(st.text("abcd").map(str.encode), st.sampled_from([b"", b"a", b"xyz"]))
def test_it_does_as_sub_does(text: bytes, new: bytes) -> None:
    """For replacements that are shorter, longer, or the same."""
    assert replaced(PATTERN, text, lambda _: new) == PATTERN.sub(new, text)


def test_text_without_a_change_is_not_copied() -> None:
    """It is the same object."""
    text = b"abcabc"
    assert replaced(PATTERN, text, lambda match: match[0]) is text
