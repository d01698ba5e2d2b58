"""Make a random export of a seed."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from fixtures import nsys as made

if TYPE_CHECKING:
    from pathlib import Path

    from fixtures.nsys import Tables

WORK = (made.KERNEL, made.MEMCPY, made.MEMSET)
COLUMNS = (
    *("eventClass", "returnValue", "mangledName", "graphNodeId", "gridId", "registersPerThread"),
    *("contextId", "srcKind", "dstKind", "memKind", "textId", "endGlobalTid", "domainId"),
    *("dynamicSharedMemory", "demangledName", "eventId", "correlationId"),
)
"""Columns that an export may lack."""

TABLES = (made.MEMCPY, made.MEMSET, made.SYNC, made.API, "NVTX_EVENTS")
"""Tables that an export may lack."""

WAITS = (1, 2, 3, 4)
"""Kinds of waits: CUpti_ActivitySynchronizationType."""


class _Process:
    """A process that launches work, call by call, on one thread.

    Attributes:
        is_alone: whether work that names no process is its own.
    """

    is_alone = False

    def __init__(self, random_: random.Random, tables: Tables, pid: int, gpus: list[int]) -> None:
        self.random, self.tables, self.pid = random_, tables, pid
        self.now, self.correlation = random_.randrange(1000, 3000), 0
        streams = [
            (device, context, stream)
            for device in range(len(gpus))
            for context in range(1, random_.randint(2, 3))
            for stream in random_.sample([7, 13, 14], random_.randint(1, 3))
        ]
        self.free = dict.fromkeys(streams, 0)
        tables["TARGET_INFO_CUDA_DEVICE"] += [
            {"gpuId": gpu, "cudaId": ordinal, "pid": pid} for ordinal, gpu in enumerate(gpus)
        ]

    def launch(self) -> None:
        """Add a call, perhaps another one within it, and the work that they launch."""
        rng = self.random
        self.correlation += 1
        start, end = self.now, self.now + rng.randint(1, 400)
        if rng.random() < 0.85:  # else the call was not recorded
            call = made.call(start, end, pid=self.pid, tid=self.pid, correlation=self.correlation)
            calls = [call]
            if rng.random() < 0.2:  # the runtime calls the driver
                inner = {"start": start + rng.randint(0, 1), "nameId": 6, "eventClass": 1}
                calls.append(call | inner)
            rng.shuffle(calls)
            self.tables[made.API] += calls
        for _ in range(rng.choice([0, 1, 1, 1, 1, 3])):
            self._work(start + rng.randint(1, 900))
        self.now = end + rng.randint(0, 300)

    def _work(self, earliest: int) -> None:
        rng = self.random
        place = rng.choice(list(self.free))
        start = max(earliest, self.free[place] - rng.choice([0, 0, 0, 0, 50]))
        end = start + rng.choice([0, 1, rng.randint(2, 2000)])
        self.free[place] = end
        correlation = self.correlation if rng.random() < 0.95 else rng.choice([0, None])
        table = rng.choices(WORK, [6, 2, 1])[0]
        row = _row(rng, table, start, end)
        where = dict(zip(("deviceId", "contextId", "streamId"), place, strict=True))
        is_told = not self.is_alone or rng.random() < 0.9
        owner = made.global_pid(self.pid) if is_told else None
        whose = {"globalPid": owner, "correlationId": correlation}
        self.tables[table].append(row | where | whose)

    def wait(self) -> None:
        """Add a wait for a stream, or for all of them."""
        device, context, stream = self.random.choice(list(self.free))
        end = self.now + self.random.randint(0, 300)
        self.tables[made.SYNC].append(
            {
                "start": self.now,
                "end": end,
                "deviceId": device,
                "contextId": context,
                "streamId": self.random.choice([stream, 0xFFFFFFFF]),
                "globalPid": made.global_pid(self.pid),
                "correlationId": self.correlation,
                "syncType": self.random.choice(WAITS),
                "eventId": self.random.choice([None, 5]),
            }
        )
        self.now = end + 1

    def ranges(self) -> None:
        """Add nested ranges around nothing, one that is not pushed, and a mark."""
        rng, start = self.random, self.now
        for depth in range(rng.randint(1, 3)):
            text = rng.choice([{"text": f"range {depth}"}, {"textId": 8, "text": None}])
            row = made.annotation(start + depth, start + 20 - depth, pid=self.pid, tid=self.pid)
            self.tables["NVTX_EVENTS"].append(row | text)
        for kind, end in ((60, start + rng.randint(0, 500)), (34, None), (60, None)):
            row = made.annotation(start, end, f"kind {kind}", kind=kind, pid=self.pid, tid=self.pid)
            self.tables["NVTX_EVENTS"].append(row)
        self.now = start + 21


def _row(rng: random.Random, table: str, start: int, end: int) -> dict[str, Any]:
    if table == made.KERNEL:
        names = {"demangledName": rng.choice([1, 8, None]), "shortName": rng.choice([2, 8])}
        return made.kernel(start, end, **names)
    if table == made.MEMCPY:
        return made.copy(start, end, size=rng.choice([0, 4096]), kind=rng.choice([1, 2, 8]))
    return {"start": start, "end": end, "bytes": 64, "value": 0, "memKind": 2}


def export(seed: int, path: Path) -> Path:
    """Write the export of a seed."""
    rng = random.Random(seed)
    tables: Tables = {name: [] for name in (*WORK, *TABLES, "TARGET_INFO_CUDA_DEVICE")}
    gpus = rng.sample(range(8), 8)
    pids = rng.sample([100, 200, 300], rng.randint(1, 3))
    without = [name for name in (*COLUMNS, *TABLES) if rng.random() < 0.08]
    for pid in pids:
        process = _Process(rng, tables, pid, [gpus.pop() for _ in range(rng.randint(1, 2))])
        process.is_alone = len(pids) == 1 and made.API not in without
        tables[made.API].append(made.call(0, 1, pid=pid, tid=pid))
        for _ in range(rng.randint(1, 40)):
            rng.choice([process.launch] * 8 + [process.wait, process.ranges])()
        process.now += 1
        process.tables[made.KERNEL].append(
            made.kernel(10**6, 10**6 + 5, pid=pid, correlation=10**6, device=0, stream=7)
        )
    for name in tables:
        rng.shuffle(tables[name])
    return made.write(path, tables, without=without)
