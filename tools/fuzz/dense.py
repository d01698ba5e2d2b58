"""Make small traces in which everything meets: events of all phases at few times on few threads.

Mutated inputs seldom hold two faults at one time of one track; here most events start, end or bind
where others do. Times are us, some of them halves and quarters.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from random import Random

_PHASES = "XXXXXXBEBEiisstffbneCMR"
_NAMES = ("a", "b", "k", "nccl", "aten::mm")
_CATS = ("kernel", "cuda_runtime", "cpu_op", "user_annotation", "gpu_memcpy", "python_function")
_METADATA = ("process_name", "thread_name", "thread_sort_index", "process_labels")
_LATEST = (4, 8, 20)
_MOST = 25


def trace(random: Random) -> bytes:
    """Make a trace of up to 25 events, in order of time or not."""
    latest = random.choice(_LATEST)
    events = [_event(random, latest) for _ in range(random.randint(2, _MOST))]
    if random.random() < 0.3:
        events.sort(key=lambda event: event.get("ts", 0))
    return json.dumps({"traceEvents": events}).encode()


def _event(random: Random, latest: int) -> dict[str, Any]:
    """Make an event that starts by `latest`, us."""
    phase = random.choice(_PHASES)
    times = (
        random.randint(0, latest),
        random.randint(0, 2 * latest) / 2,
        random.randint(0, latest) + 0.25,
    )
    event = {
        "ph": phase,
        "pid": random.choice((1, 1, 1, 0)),
        "tid": random.choice((1, 1, 2, 7)),
        "ts": random.choice(times),
        "name": random.choice(_NAMES),
    }
    return event | _members(random, phase, event)


def _members(random: Random, phase: str, event: dict[str, Any]) -> dict[str, Any]:
    """Make the members that events of a phase have; may take some of `event` away."""
    if phase == "E" and random.random() < 0.5:
        del event["name"]
    if phase == "M" and random.random() < 0.5:
        del event["ts"]
    cat, name = random.choice(("ac2g", "ac2g", "fwdbwd")), random.choice(_METADATA)
    flow = {"id": random.randint(1, 4), "cat": cat, "name": cat}
    span = {"id": random.choice((1, "0x2")), "cat": "async"}
    paired = {"cat": random.choice(("cpu_op", "", "x"))} if random.random() < 0.5 else {}
    args = {"name": "n", "sort_index": random.randint(-2, 2), "labels": "GPU 0"}
    bound = {"bp": "e"} if random.random() < 0.7 else {}
    made = {
        "X": _of_slice(random),
        **dict.fromkeys("BE", paired),
        **dict.fromkeys("st", flow),
        "f": flow | bound,
        **dict.fromkeys("bne", span),
        "C": {"args": {"v": random.randint(0, 3)}},
        "M": {"name": name, "args": args},
    }
    return made.get(phase, {"s": random.choice("tpg")})


def _of_slice(random: Random) -> dict[str, Any]:
    """Make duration, category, args and flow of an X event."""
    durations = (0, random.randint(0, 6), random.randint(0, 12) / 2, 0.5)
    made: dict[str, Any] = {"dur": random.choice(durations), "cat": random.choice(_CATS)}
    args = {}
    if random.random() < 0.6:
        args["correlation"] = random.randint(1, 4)
    if random.random() < 0.2:
        args["External id"] = random.randint(1, 3)
    if random.random() < 0.1:
        made["bind_id"] = random.randint(1, 2)
        made[random.choice(("flow_in", "flow_out"))] = True
    return {**made, "args": args} if args else made
