"""The text that `tp-tools sql` prints gives the rows of the query, in any order of pasting."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.recorded import repaired
from tp_tools import engine, library

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.recorded import LoadedRecording


def test_printed_texts_give_the_rows_of_their_queries(
    real_trace: Callable[[str], Path], loaded_recording: LoadedRecording
) -> None:
    """All texts run in one session, last query first, though they define the same names."""
    path = real_trace("nccl_args_rank0.cut.json.gz")
    texts = {name: library.read(query) for name, query in reversed(library.queries().items())}
    with engine.load([repaired(path)], source=path.name) as pasted:
        shown = {
            name: engine.query_rows(pasted, library.expand(text), name)
            for name, text in texts.items()
        }
    whole = loaded_recording(path)
    for name, text in texts.items():
        assert shown[name] == engine.query_rows(whole, text, name)
    assert sum(bool(it.rows) for it in shown.values()) > 25
