"""Which kernels, and which launch arrows, the UI holds of a fixture that `tp-tools` wrote."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from tests.support.perfetto_ui import PerfettoUi

Opener: TypeAlias = Callable[[Path], PerfettoUi]
DECODE = "pdl_decode.json.gz"

KERNELS = "SELECT name, dur FROM slice WHERE category = 'kernel' ORDER BY ts, name"
ARROWS = """
SELECT EXTRACT_ARG(l.arg_set_id, 'args.correlation') AS launch,
  EXTRACT_ARG(k.arg_set_id, 'args.correlation') AS kernel
FROM flow
JOIN slice AS l ON l.id = flow.slice_out
JOIN slice AS k ON k.id = flow.slice_in
ORDER BY launch
"""


def kernels_in(ui: PerfettoUi) -> Counter[tuple[str, int]]:
    """The (name, dur in ns) of every kernel that the UI's engine holds."""
    return Counter((row["name"], row["dur"]) for row in ui.query(KERNELS))
