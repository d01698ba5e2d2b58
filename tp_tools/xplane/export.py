"""Read an xplane.pb as the text of a Kineto trace, line by line.

Source: xplane.proto, and the names that XLA's tracer of CUPTI gives lines and stats
(xla/backends/profiler/gpu/cupti_collector.cc). Times are picoseconds after those of their line;
ends are rounded down to ns, so that slices which touch still do.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from google.protobuf.message import DecodeError

from tp_tools.errors import InputError
from tp_tools.nsys.recording import arrow
from tp_tools.nsys.values import event_blocks, json_text, members, microseconds
from tp_tools.xplane.schema import space_class

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

_GPU = re.compile(r"/device:GPU:(\d+)")
_STREAM = re.compile(r"Stream #(\d+)")
_SHAPE = re.compile(r"(\w+):(\d+(?:,\d+)*)")
_CALL = re.compile(r"(cu[A-Z]\w*|cuda[A-Z]\w*)")
_HOST_PID = 1_000_000
_MOST_TID = (1 << 31) - 1
_FREE_TID = 1_000_000_000
_DETAILS = {
    "kernel_details": "kernel",
    "memcpy_details": "gpu_memcpy",
    "memset_details": "gpu_memset",
}
_COPIES = {"MemcpyH2D": "HtoD", "MemcpyD2H": "DtoH", "MemcpyD2D": "DtoD", "MemcpyP2P": "PtoP"}
_PASSED_ON = ("hlo_op", "hlo_module", "tf_op", "context_id", "step_num", "group_id")


def read_text(data: bytes, name: str) -> Generator[bytes]:
    """Yield the text of the trace that a profile holds.

    Args:
        data: the whole file, decompressed.
        name: its name in messages.

    Returns:
        Blocks of Chrome JSON.

    Raises:
        InputError: it is damaged.
    """
    space = space_class()()
    try:
        space.ParseFromString(data)
    except DecodeError as error:
        raise InputError(f"{name}: is damaged, or no profile of XLA. Copy it again.") from error
    lines = [(pid, plane) for pid, plane in enumerate(space.planes) if plane.lines]
    first_ns = min((line.timestamp_ns for _, it in lines for line in it.lines), default=0)
    head = {"xplane": {"planes": len(lines)}, "baseTimeNanoseconds": first_ns}
    yield (json_text(head)[:-1] + ',"traceEvents":[\n').encode()
    starts, ends = _correlated(lines)
    yield from event_blocks(
        events
        for number, plane in lines
        for events in _plane(plane, number, first_ns, starts & ends)
    )
    yield b"\n]}\n"


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")


def _correlated(planes: list[tuple[int, Any]]) -> tuple[set[int], set[int]]:
    """Return the correlation ids of calls, and those of work."""
    found: tuple[set[int], set[int]] = set(), set()
    for _, plane in planes:
        stats = _Stats(plane)
        of = found[_GPU.match(_text(plane.name)) is not None]
        for line in plane.lines:
            of.update(stats.of(event).get("correlation_id", 0) for event in line.events)
    return found[0] - {0}, found[1] - {0}


class _Stats:
    """Reads the stats of the events of a plane by their names."""

    def __init__(self, plane: Any) -> None:  # noqa: ANN401  made at run time
        self._names = {it.key: _text(it.value.name) for it in plane.stat_metadata}
        self._events = {it.key: it.value for it in plane.event_metadata}

    def name(self, event: Any) -> str:  # noqa: ANN401
        """Return the name of an event."""
        found = self._events.get(event.metadata_id)
        return "event" if found is None else _text(found.name or found.display_name) or "event"

    def of(self, event: Any) -> dict[str, Any]:  # noqa: ANN401
        """Return the stats of an event, with those of its kind."""
        kind = self._events.get(event.metadata_id)
        given = [*(kind.stats if kind is not None else ()), *event.stats]
        return {self._names.get(it.metadata_id, "?"): self._value(it) for it in given}

    def _value(self, stat: Any) -> Any:  # noqa: ANN401
        if stat.HasField("ref_value"):
            return self._names.get(stat.ref_value, "")
        if stat.HasField("str_value"):
            return _text(stat.str_value)
        for field in ("int64_value", "uint64_value", "double_value"):
            if stat.HasField(field):
                return getattr(stat, field)
        return None


def _plane(plane: Any, number: int, first_ns: int, joined: set[int]) -> Iterator[list[str]]:  # noqa: ANN401
    """Yield the events of each line of a plane."""
    name = _text(plane.name)
    gpu = _GPU.match(name)
    pid = int(gpu[1]) if gpu else _HOST_PID + number
    yield [_named("process", pid, 0, f"GPU {pid}" if gpu else name)]
    stats = _Stats(plane)
    for place, line in enumerate(plane.lines):
        title = _text(line.name)
        stream = _STREAM.match(title) if gpu else None
        is_free = stream is None and (gpu or not 0 < line.id <= _MOST_TID)
        tid = int(stream[1]) if stream else _FREE_TID + place if is_free else line.id
        where = "stream" if stream else "device" if name.startswith("/device:") else "host"
        events = [_named("thread", pid, tid, title or f"line {line.id}")]
        for event in line.events:
            start = line.timestamp_ns * 1000 + event.offset_ps - first_ns * 1000
            end = start + max(event.duration_ps, 0)
            times = start // 1000, end // 1000 - start // 1000
            found = stats.of(event)
            key = found.get("correlation_id") or 0
            place_args = {"device": pid, "stream": tid} if stream else {}
            cat, shown, args = _described(stats.name(event), found, where)
            args = {**place_args, "correlation": key or None, **args}
            ts = f'"ts":{microseconds(times[0])}'
            events.append(
                f'{{"ph":"X","cat":"{cat}","name":{json_text(shown)},"pid":{pid},"tid":{tid},{ts},'
                f'"dur":{microseconds(times[1])},"args":{members(args)}}}'
            )
            if key in joined and (stream or not gpu):
                events.append(arrow(key, pid, tid, ts, is_start=not gpu))
        yield events


def _named(what: str, pid: int, tid: int, name: str) -> str:
    return (
        f'{{"ph":"M","name":"{what}_name","pid":{pid},"tid":{tid},"ts":0,'
        f'"args":{{"name":{json_text(name)}}}}}'
    )


def _described(name: str, stats: dict[str, Any], where: str) -> tuple[str, str, dict[str, Any]]:
    """Return category, name and arguments of an event, in Kineto's words.

    Args:
        name: its name.
        stats: its stats by name.
        where: "stream" of a GPU, another line of a "device", or the "host".
    """
    args = {key: stats[key] for key in _PASSED_ON if stats.get(key) is not None}
    if where == "device":
        return "gpu_user_annotation", name, args
    if where == "host":
        if "correlation_id" in stats and (call := _CALL.match(name)):
            return "cuda_runtime" if call[1].startswith("cuda") else "cuda_driver", name, args
        if name.startswith("$"):
            return "python_function", name[1:], args
        return "user_annotation" if "step_num" in stats else "cpu_op", name, args
    cat = next((it for key, it in _DETAILS.items() if key in stats), "kernel")
    detail = next((str(stats[key]) for key in _DETAILS if key in stats), "")
    numbers = {key: [int(it) for it in of.split(",")] for key, of in _SHAPE.findall(detail)}
    if cat == "kernel":
        args |= {key: numbers[key] for key in ("grid", "block") if key in numbers}
        args["registers per thread"] = numbers.get("regs", [None])[0]
        shared = [numbers[key][0] for key in ("static_shared", "dynamic_shared") if key in numbers]
        args["shared memory"] = sum(shared) if shared else None
        return cat, name, args
    args["bytes"] = numbers.get("size", [None])[0]
    return cat, f"Memcpy {_COPIES[name]}" if name in _COPIES else name, args
