"""How much memory is left, by the machine and by the control groups around the process."""

from pathlib import Path

import pytest

from tp_tools.engine.memory import available

GIB = 1 << 30
MEMINFO = f"MemTotal: {64 << 20} kB\nMemAvailable: {10 << 20} kB\nHugePages_Total: 0\n"


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A machine with 10 GiB left."""
    put(tmp_path / "proc/meminfo", MEMINFO)
    return tmp_path


def put(path: Path, text: object) -> None:
    """Writes a file of the kernel's."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{text}\n")


def test_of_the_machine(machine: Path) -> None:
    """Without control groups, it is what the machine has left, swap included."""
    assert available(machine) == 10 * GIB
    put(machine / "proc/meminfo", f"{MEMINFO}SwapFree: {2 << 20} kB")
    assert available(machine) == 12 * GIB


def test_of_a_container(machine: Path) -> None:
    """A container's limit counts, less what is used, and caches are not in the way."""
    put(machine / "proc/self/cgroup", "0::/")
    put(machine / "sys/fs/cgroup/memory.max", 4 * GIB)
    put(machine / "sys/fs/cgroup/memory.current", 3 * GIB)
    assert available(machine) == GIB
    put(machine / "sys/fs/cgroup/memory.stat", f"anon {GIB}\ninactive_file {2 * GIB}")
    assert available(machine) == 3 * GIB


def test_of_a_job_within_a_job(machine: Path) -> None:
    """The tightest group on the way up decides; "max" is no limit."""
    put(machine / "proc/self/cgroup", "0::/slurm/job/step")
    groups = machine / "sys/fs/cgroup"
    for group, limit in (("slurm", 8 * GIB), ("slurm/job", 2 * GIB), ("slurm/job/step", "max")):
        put(groups / group / "memory.max", limit)
        put(groups / group / "memory.current", GIB)
    assert available(machine) == GIB


def test_of_a_group_of_version_1(machine: Path) -> None:
    """So do the groups of version 1, where other controllers stand beside memory."""
    put(machine / "proc/self/cgroup", "5:cpuset:/\n4:hugetlb,memory:/docker/1")
    group = machine / "sys/fs/cgroup/memory/docker/1"
    put(group / "memory.limit_in_bytes", 5 * GIB)
    put(group / "memory.usage_in_bytes", 2 * GIB)
    put(group / "memory.stat", f"total_inactive_file {GIB}")
    assert available(machine) == 4 * GIB


def test_of_a_full_group(machine: Path) -> None:
    """A group that is full leaves next to nothing, which is not the same as unknown."""
    put(machine / "proc/self/cgroup", "0::/")
    put(machine / "sys/fs/cgroup/memory.max", GIB)
    put(machine / "sys/fs/cgroup/memory.current", GIB)
    assert available(machine) == 1


def test_elsewhere(tmp_path: Path) -> None:
    """Where there is no such account, nothing is known."""
    assert available(tmp_path) is None
