"""The names of engines: what is asked for, and what it stands for."""

import os

EMBEDDED = {32: "embedded32", 64: "embedded64"}
"""The embedded engine by the width of its pointers; "embedded" chooses between them."""


def name_of(engine: str | None) -> str:
    """The name of the engine that is asked for, or of the default."""
    return engine or os.environ.get("TP_TOOLS_ENGINE") or "embedded"


def is_embedded(engine: str | None) -> bool:
    """Whether it runs in this process: several do side by side, and each starts in no time."""
    return name_of(engine) in {"embedded", *EMBEDDED.values()}
