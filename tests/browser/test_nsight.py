"""A user opens an export of Nsight Systems in the Perfetto UI, as `tp-tools fix` wrote it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.command_line import run
from tests.support.kernels_in_ui import Opener

pytestmark = pytest.mark.browser

PAIR = """
SELECT s.ts, s.ts + s.dur AS ts_end, thread.name AS stream
FROM slice AS s JOIN thread_track ON s.track_id = thread_track.id JOIN thread USING (utid)
WHERE s.ts IN (60362719623, 60362772749) AND s.category = 'kernel'
ORDER BY s.ts
"""
COUNTS = """
SELECT category, COUNT(*) AS count FROM slice
WHERE category IN ('kernel', 'gpu_memcpy', 'gpu_memset') GROUP BY category ORDER BY category
"""


def test_the_one_overlap_of_kernels_is_visible(
    real_trace: Callable[[str], Path], open_ui: Opener, tmp_path: Path
) -> None:
    """Both kernels of the pair are there with the times of the export, the second on a lane."""
    out = tmp_path / "two.json.gz"
    run("fix", real_trace("nsys/train_2gpu_before.sqlite.gz"), "-o", out)
    ui = open_ui(out)
    assert ui.import_errors() == 0
    assert [tuple(row.values()) for row in ui.query(PAIR)] == [
        (60362719623, 60362785191, "stream 7"),
        (60362772749, 60362815885, "stream 7 (2)"),
    ]
    assert [tuple(row.values()) for row in ui.query(COUNTS)] == [
        ("gpu_memcpy", 1020),
        ("gpu_memset", 269),
        ("kernel", 4010),
    ]
