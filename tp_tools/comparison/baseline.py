"""Keep the samples of a side in a small JSON file, so that no trace needs to be kept.

    {"tp_tools_baseline": 1, "made_by": "0.1.0", "name": "before.json.gz", "samples": 20,
     "facts": {"gpu": "NVIDIA H100", "versions": {"CUDA": "12.4"}, "ranks": 8, "unit": "step", ...},
     "rows": [{"level": "kernel", "name": "attn_fwd", "detail": "compute", "count": 24,
               "median_ns": 87093, "spread_ns": 411, "ns": [87093, ...], "counts": null}, ...]}

Kernels have their short names. Times are ns of a step, `spread_ns` from the first to the third
quartile, `ns` the samples; of the level `bus` they are bytes. `counts` are those of each sample
where they differ.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from msgspec.structs import asdict

from tp_tools.comparison.grouping import by_short_name
from tp_tools.comparison.model import Facts, Key, Samples, Side
from tp_tools.errors import InputError

_MARK = "tp_tools_baseline"
_VERSION = 1

_START = 64
"""Bytes of a file that tell whether it is a baseline."""

MOST_SAMPLES = 200
"""Samples that are kept; of more, evenly spaced ones."""


def is_baseline(name: str) -> bool:
    """Tell by its first bytes whether a file is a baseline."""
    try:
        with Path(name).open("rb") as file:
            return f'"{_MARK}"'.encode() in file.read(_START)
    except OSError:
        return False  # reading it as a trace says what is wrong


def text(side: Side, most_samples: int = MOST_SAMPLES) -> bytes:
    """Write a side as a baseline.

    Args:
        side: the side.
        most_samples: samples of a row that are kept.
    """
    from importlib.metadata import version  # noqa: PLC0415  0.02 s, and few commands write one

    side = by_short_name(side)
    kept = np.unique(np.linspace(0, side.samples - 1, most_samples).round().astype(int))
    rows = [_row(key, side.rows[key], kept) for key in sorted(side.rows)]
    head = {
        _MARK: _VERSION,
        "made_by": version("tp-tools"),
        "name": side.name,
        "samples": len(kept),
        "facts": asdict(side.facts),
    }
    lines = ",\n  ".join(json.dumps(it) for it in rows)
    return f'{json.dumps(head)[:-1]},\n "rows": [\n  {lines}\n ]}}\n'.encode()


def _row(key: Key, samples: Samples, kept: Any) -> dict[str, Any]:  # noqa: ANN401  numpy's indices
    counts = [round(it, 6) for it in samples.counts[kept].tolist()]
    low, middle, high = np.percentile(samples.ns, (25, 50, 75))
    return {
        "level": key.level,
        "name": key.name,
        "detail": key.detail,
        "count": round(float(samples.counts.mean()), 6),
        "median_ns": round(float(middle)),
        "spread_ns": round(float(high - low)),
        "ns": [round(it) for it in samples.ns[kept].tolist()],
        "counts": None if len(set(counts)) == 1 else counts,
    }


def read(name: str) -> Side:
    """Read a baseline.

    Raises:
        InputError: the file cannot be read, or is no baseline of this version.
    """
    try:
        made = json.loads(Path(name).read_bytes())
        if made[_MARK] != _VERSION:
            raise InputError(
                f"{name}: is a baseline of format {made[_MARK]}; this version reads {_VERSION}. "
                "Write it anew with `tp-tools gate TRACE --baseline FILE --update`."
            )
        return _side(made)
    except OSError as error:
        raise InputError(f"{name}: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{name}: is no baseline. `tp-tools gate TRACE --baseline FILE --update` writes one."
        ) from error


def _side(made: dict[str, Any]) -> Side:
    samples, known = int(made["samples"]), set(Facts.__struct_fields__)
    rows = {
        Key(row["level"], row["name"], row["detail"]): Samples(
            np.array(row["counts"] or [row["count"]] * samples, float), np.array(row["ns"], float)
        )
        for row in made["rows"]
    }
    if samples < 1 or any(
        array.shape != (samples,) for it in rows.values() for array in (it.ns, it.counts)
    ):
        raise ValueError("a row has another number of samples")
    facts = Facts(**{name: value for name, value in made["facts"].items() if name in known})
    names = {key.name: key.name for key in rows}
    side = Side(str(made["name"]), samples, rows, None, facts, full_names=names)
    if side.step not in rows:
        raise ValueError("it has no time of a step")
    return side
