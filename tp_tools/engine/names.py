"""Resolve the names of engines."""

import os

EMBEDDED = {32: "embedded32", 64: "embedded64"}
"""Name of the embedded engine by pointer width; "embedded" chooses between them."""


def name_of(engine: str | None) -> str:
    """Return the name of an engine, or of the default engine for None."""
    return engine or os.environ.get("TP_TOOLS_ENGINE") or "embedded"


def is_embedded(engine: str | None) -> bool:
    """Tell whether an engine runs in this process, where several start fast and run in parallel."""
    return name_of(engine) in {"embedded", *EMBEDDED.values()}
