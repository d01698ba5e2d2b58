"""Read an xplane.pb as the text of a Kineto trace, line by line.

Source: xplane.proto, and the names that XLA's tracer of CUPTI gives lines and stats
(xla/backends/profiler/gpu/cupti_collector.cc). Times are picoseconds after those of their line;
ends are rounded down to ns, so that slices which touch still do.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from google.protobuf.message import DecodeError

from tp_tools.errors import InputError
from tp_tools.nsys.recording import arrow
from tp_tools.nsys.values import event_blocks, json_text, members, microseconds
from tp_tools.xplane.header import GPU, Times, header, told
from tp_tools.xplane.schema import space_class
from tp_tools.xplane.stats import Stats, text_of

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

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
_MEMORY = {
    "memalloc_details": "allocations of memory",
    "memfree_details": "releases of memory",
    "memory_residency_details": "residencies of memory",
}
"""Stats of events on a stream that are no work of it."""

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
    times = Times.of(space)
    yield (json_text(header(space, times))[:-1] + ',"traceEvents":[\n').encode()
    starts, ends = _correlated(lines)
    left_out = Counter[str]()
    yield from event_blocks(
        events
        for number, plane in lines
        for events in _plane(plane, number, times.first_ns, starts & ends, left_out)
    )
    yield f'\n],"exportNotes":{json_text(list(told(space, left_out)))}}}\n'.encode()


def _correlated(planes: list[tuple[int, Any]]) -> tuple[set[int], set[int]]:
    """Return the correlation ids of calls, and those of work."""
    found: tuple[set[int], set[int]] = set(), set()
    for _, plane in planes:
        stats = Stats(plane)
        of = found[GPU.match(text_of(plane.name)) is not None]
        for line in plane.lines:
            of.update(_correlation(stats.of(event)) for event in line.events)
    return found[0] - {0}, found[1] - {0}


def _correlation(stats: dict[str, Any]) -> int:
    """Return the id that a call shares with what it launched; 0 for none."""
    key = stats.get("correlation_id")
    return key if isinstance(key, int) and key > 0 else 0


def _plane(
    plane: Any,  # noqa: ANN401  made at run time
    number: int,
    first_ns: int,
    joined: set[int],
    left_out: Counter[str],
) -> Iterator[list[str]]:
    """Yield the events of each line of a plane; count what becomes none."""
    name = text_of(plane.name)
    gpu = GPU.match(name)
    pid = int(gpu[1]) if gpu else _HOST_PID + number
    yield [_named("process", pid, 0, f"GPU {pid}" if gpu else name)]
    stats = Stats(plane)
    for place, line in enumerate(plane.lines):
        title = text_of(line.name)
        stream = _STREAM.match(title) if gpu else None
        is_free = stream is None and (gpu or not 0 < line.id <= _MOST_TID)
        tid = int(stream[1]) if stream else _FREE_TID + place if is_free else line.id
        where = "stream" if stream else "device" if name.startswith("/device:") else "host"
        events = [_named("thread", pid, tid, title or f"line {line.id}")]
        for event in line.events:
            if event.HasField("num_occurrences"):
                left_out["sums of events without times"] += 1
                continue
            found = stats.of(event)
            if stream and (what := next((it for it in _MEMORY if it in found), None)):
                left_out[_MEMORY[what]] += 1
                continue
            start = line.timestamp_ns * 1000 + event.offset_ps - first_ns * 1000
            end = start + max(event.duration_ps, 0)
            times = start // 1000, end // 1000 - start // 1000
            key = _correlation(found)
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
    args["bytes"] = numbers.get("size", numbers.get("num_bytes", [None]))[0]
    return cat, f"Memcpy {_COPIES[name]}" if name in _COPIES else name, args
