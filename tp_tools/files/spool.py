"""Copy a stream to a temporary file, for readers that want a file."""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from tp_tools.files import temporary

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


@contextmanager
def spooled(blocks: Iterable[bytes]) -> Iterator[Path]:
    """Copy blocks to a temporary file, which is removed at the end of the block.

    Raises:
        OutputError: the disk is too full for it.
        InputError: whatever reading the blocks raises.
    """
    with ExitStack() as stack:
        with temporary.full_disk_named():
            handle, path = stack.enter_context(temporary.file())
            with os.fdopen(handle, "wb") as copy:
                for block in blocks:
                    copy.write(block)
        yield path
