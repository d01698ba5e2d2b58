"""Measure free memory, so that running out of it is an error rather than a kill.

Sources: proc(5); the kernel's `admin-guide/cgroup-v2.rst` and `cgroup-v1/memory.rst`.
"""

from collections.abc import Iterator
from pathlib import Path

V2 = ("memory.max", "memory.current", "inactive_file")
V1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")


def available(root: Path = Path("/")) -> int | None:
    """Measure the memory that this process may still take.

    Args:
        root: the folder that holds `proc` and `sys`.

    Returns:
        Bytes: the least of the free memory of the machine, swap included, and of the control groups
        around the process (of a container or a batch job); None if unknown.
    """
    return min(filter(None, (_of_machine(root), *_of_groups(root))), default=None)


def _of_machine(root: Path) -> int | None:
    free = _numbers(root / "proc/meminfo")
    kib = free.get("MemAvailable:")
    return None if kib is None else (kib + free.get("SwapFree:", 0)) << 10


def _of_groups(root: Path) -> Iterator[int | None]:
    for line in _lines(root / "proc/self/cgroup"):
        _, controllers, group = line.split(":", 2)
        if not controllers:
            base, names = root / "sys/fs/cgroup", V2
        elif "memory" in controllers.split(","):
            base, names = root / "sys/fs/cgroup/memory", V1
        else:
            continue
        # Every parent group may set a limit; in a container the lower groups are not visible.
        folder = base / group.lstrip("/")
        while folder.is_relative_to(base):
            yield _of_group(folder, *names)
            folder = folder.parent


def _of_group(folder: Path, limit: str, usage: str, reclaimable: str) -> int | None:
    bounds = [*_lines(folder / limit), *_lines(folder / usage)]
    if len(bounds) != 2 or "max" in bounds:  # noqa: PLR2004  one line in each file
        return None
    caches = _numbers(folder / "memory.stat").get(reclaimable, 0)
    return max(1, int(bounds[0]) - int(bounds[1]) + caches)


def _numbers(path: Path) -> dict[str, int]:
    """Return the second word of each line as a number, by the first word."""
    words = (line.split() for line in _lines(path))
    return {word[0]: int(word[1]) for word in words if len(word) > 1 and word[1].isdecimal()}


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
