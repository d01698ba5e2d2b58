"""Programs that take the place of others, such as trace_processor_shell."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def program(folder: Path, text: str) -> Path:
    """Write a program in Python, and return its path."""
    path = folder / "shell"
    path.write_text(f"#!{sys.executable}\n{text}")
    path.chmod(0o755)
    return path
