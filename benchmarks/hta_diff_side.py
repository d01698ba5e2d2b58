"""Print what HTA's TraceDiff says of two traces as JSON, in a Python that has it.

    PYTHON hta_diff_side.py A B

HTA takes folders, so each trace is linked into one of its own. All iterations are compared.
"""

import contextlib
import json
import logging
import sys
import tempfile
import time
import warnings
from pathlib import Path

warnings.filterwarnings("ignore")
logging.disable(logging.CRITICAL)
with contextlib.redirect_stdout(sys.stderr):
    from hta.trace_diff import DeviceType, LabeledTrace, TraceDiff


def main(a: str, b: str) -> None:
    """Print one JSON object: us of each kernel in both traces, and CPU seconds."""
    start = time.process_time()
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(sys.stderr):
        sides = []
        for label, trace in (("a", a), ("b", b)):
            place = Path(folder) / label
            place.mkdir()
            (place / Path(trace).name).symlink_to(Path(trace).absolute())
            sides.append(LabeledTrace(label=label, trace_dir=str(place)))
        table = TraceDiff.compare_traces(
            *sides,
            control_iteration=sides[0].iterations(),
            test_iteration=sides[1].iterations(),
            device_type=DeviceType.GPU,
        )
    us = {
        str(name): [float(row["a_total_duration"]), float(row["b_total_duration"])]
        for name, row in table.iterrows()
    }
    json.dump({"us": us, "cpu_s": time.process_time() - start}, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
