"""How much memory is left, so that running out of it is an error rather than a kill.

Sources: proc(5); the kernel's `admin-guide/cgroup-v2.rst` and `cgroup-v1/memory.rst`.
"""

from collections.abc import Iterator
from pathlib import Path

V2 = ("memory.max", "memory.current", "inactive_file")
V1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")


def available(root: Path = Path("/")) -> int | None:
    """Bytes that this process may still take; None where that is not known.

    It is the least of what the machine has left, swap included, and what the control groups
    around the process (a container's, a batch job's) leave it.

    Args:
        root: where `proc` and `sys` lie.
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
        # Any group on the way up may set a limit; in a container the lower ones are not seen.
        folder = base / group.lstrip("/")
        while folder.is_relative_to(base):
            yield _of_group(folder, *names)
            folder = folder.parent


def _of_group(folder: Path, limit: str, usage: str, reclaimable: str) -> int | None:
    bounds = [*_lines(folder / limit), *_lines(folder / usage)]
    if len(bounds) != 2 or "max" in bounds:  # noqa: PLR2004  a line each
        return None
    caches = _numbers(folder / "memory.stat").get(reclaimable, 0)
    return max(1, int(bounds[0]) - int(bounds[1]) + caches)


def _numbers(path: Path) -> dict[str, int]:
    """The first two words of each line that says a number."""
    words = (line.split() for line in _lines(path))
    return {word[0]: int(word[1]) for word in words if len(word) > 1 and word[1].isdecimal()}


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
