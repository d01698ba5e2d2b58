"""Small traces with known answers."""

import json


def slice_of(name: str, ts: float, dur: float, **more: object) -> dict[str, object]:
    """A complete event on one thread; times in us."""
    return {"ph": "X", "name": name, "pid": 1, "tid": 1, "ts": ts, "dur": dur, **more}


def json_trace(*events: dict[str, object]) -> bytes:
    """The bytes of a Chrome JSON trace."""
    return json.dumps({"traceEvents": events}).encode()


SOUND = json_trace(slice_of("outer", 10, 100), slice_of("inner", 20, 30))
OVERLAPPING = json_trace(slice_of("first", 10, 100), slice_of("second", 50, 100))


def in_pieces(data: bytes, size: int = 1 << 20) -> list[bytes]:
    """The data as a reader would hand it over."""
    return [data[i : i + size] for i in range(0, len(data), size)]
