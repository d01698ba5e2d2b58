"""Tell the earlier output of a merge, which lies among its inputs, from a trace."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tp_tools.chrome.metadata import MERGED_KEY
from tp_tools.errors import InputError, UsageError
from tp_tools.files.output import refuse_input
from tp_tools.files.sources import source_of

if TYPE_CHECKING:
    from collections.abc import Sequence


def is_earlier_output(file: str, output: str, names: Sequence[str]) -> bool:
    """Tell whether a file found in a folder is an earlier output, which will be replaced.

    Raises:
        UsageError: the output is an input.
    """
    if not output:
        return False
    try:
        refuse_input(output, [file])
    except UsageError:
        if file in names or not _is_merged(file):
            raise
        return True
    return False


def _is_merged(file: str) -> bool:
    """Tell whether the file begins like the output of `tp-tools merge`."""
    try:
        return MERGED_KEY.encode() in next(source_of(file).blocks(), b"")
    except InputError:
        return False
