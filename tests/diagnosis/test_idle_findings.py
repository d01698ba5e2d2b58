"""Findings on idle time: each says its numbers, and no more than these carry."""

from __future__ import annotations

from tests.support.diagnosing import MS, cause, facts, numbers, window
from tp_tools.diagnosis import idle_findings
from tp_tools.diagnosis.model import Evidence, Place


def test_waiting_for_data() -> None:
    """It costs the idle time by that cause over all GPUs, and is seen in the longest gap."""
    idle = [cause("data loading", 4 * MS, 0), cause("data loading", 6 * MS, 1, longest_ts=9)]
    found = idle_findings.data_loading(
        numbers(window(0, compute=8 * MS, cpu=12 * MS), window(1), idle=idle)
    )
    assert found is not None
    assert found.cost_ns == 10 * MS
    assert found.says == (
        "The GPUs idle 10.000 ms of 20.000 ms (83.3 % of all idle time) while the thread that "
        "launches work waits for the next batch of a DataLoader: 2 gaps, on average 5.000 ms, the "
        "longest 6.000 ms."
    )
    assert found.place == Place(1, 9, 6 * MS, "gap before k")
    (row,) = found.evidence
    assert row.command() == "tp-tools query idle"
    assert (row.row["rank"], row.row["idle_ns"]) == (1, 6 * MS)
    assert (row.others, row.others_ns) == (1, 4 * MS)


def test_each_cause_has_one_finding() -> None:
    """All causes of `idle` are in findings, and none in two."""
    names = ["data loading", "synchronisation", "memory", "set-up", "cpu", "launch call"]
    names += ["front end", "dependency", "late start", "unknown"]
    idle = [cause(name, 2**number) for number, name in enumerate(names)]
    given = numbers(window(cpu=2 ** len(names)), idle=idle)
    finders = ("data_loading", "synchronisation", "memory", "set_up", "launches", "waits")
    found = [getattr(idle_findings, name)(given) for name in (*finders, "unknown")]
    assert sum(it.cost_ns for it in found) == 2 ** len(names) - 1


def test_nothing_is_found_where_there_is_nothing() -> None:
    """Without the cause there is no finding."""
    given = numbers(window(compute=9), idle=[])
    finders = ("data_loading", "synchronisation", "memory", "set_up", "launches", "waits")
    assert not any(getattr(idle_findings, name)(given) for name in (*finders, "unknown"))


def test_a_synchronisation_is_named_with_its_line() -> None:
    """The call in which the GPU idled most is in the evidence."""
    sync = {"rank": None, "name": "cudaStreamSynchronize", "cpu_op": "aten::item"}
    sync |= {"python_line": "train.py(7): step", "count": 3, "total_ns": 9, "gpu_idle_ns": 5}
    other = sync | {"name": "cudaMemcpy", "gpu_idle_ns": 2}
    given = numbers(window(sync=9), idle=[cause("synchronisation", 9)], syncs=[other, sync])
    found = idle_findings.synchronisation(given)
    assert found is not None
    assert found.says.endswith("; mostly cudaStreamSynchronize in aten::item, train.py(7): step.")
    assert found.evidence[1] == Evidence("syncs", sync)


def test_short_gaps_are_launch_bound_and_long_ones_cpu_bound() -> None:
    """Half of the time in pieces of 1 ms and longer is the border; the advice differs."""
    short = cause("cpu", 10 * MS, gaps=900, long_ns=5 * MS)
    found = idle_findings.launches(numbers(window(cpu=10 * MS), idle=[short]))
    assert found is not None
    assert found.title == "Launch-bound"
    assert "mostly in pieces shorter than 1 ms" in found.says
    assert found.next_step.startswith("Launch less often: graphs")
    assert found.doubts == ()
    long = cause("cpu", 10 * MS, gaps=900, long_ns=5 * MS + 1)
    found = idle_findings.launches(numbers(window(cpu=10 * MS), idle=[long]))
    assert found is not None
    assert found.title == "CPU-bound"
    assert "50.0 % of that in pieces of 1 ms and longer" in found.says


def test_what_is_compiled_already_is_not_to_be_compiled() -> None:
    """Graphs are what is left."""
    name = "Torch-Compiled Region: 0/0"
    idle = [cause("cpu", 10 * MS, gaps=900, long_ns=0, mostly=name, mostly_ns=9 * MS)]
    found = idle_findings.launches(numbers(window(cpu=10 * MS), idle=idle))
    assert found is not None
    assert found.next_step.startswith("Launch less often: graphs of the compiled regions (mode=")


def test_a_profile_that_slows_the_cpu_is_recorded_again_first() -> None:
    """It is a doubt, and the first step, be it told by the events or by the header."""
    idle = [cause("cpu", 10 * MS, gaps=900, long_ns=0)]
    seen = numbers(window(cpu=10 * MS, profiler="with_stack, record_shapes"), idle=idle)
    stated = facts(options=("record_shapes", "with_modules", "with_stack"))
    for given in (seen, numbers(window(cpu=10 * MS), traces=(stated,), idle=idle)):
        found = idle_findings.launches(given)
        assert found is not None
        assert found.doubts == (
            "The profile was recorded with with_stack, record_shapes, which slows the CPU.",
        )
        assert found.next_step.startswith(
            "Record again without with_stack, record_shapes; if it stays so, launch less often"
        )


def test_what_takes_most_is_named_if_it_is_much() -> None:
    """From a tenth of the time on; the name of a step says nothing."""

    def says(name: str, ns: int) -> str:
        idle = [cause("memory", 10 * MS, mostly=name, mostly_ns=ns)]
        found = idle_findings.memory(numbers(window(sync=10 * MS), idle=idle))
        assert found is not None
        return found.says

    assert says("cudaMalloc", MS).endswith(", the largest part in cudaMalloc (1.000 ms).")
    assert "largest part" not in says("cudaMalloc", MS - 1)
    assert "largest part" not in says("ProfilerStep#2", 10 * MS)


def test_work_that_was_launched_is_not_told_what_it_waited_for() -> None:
    """The finding says so; short gaps are the distance of kernels, and one long gap stands out."""
    rows = {
        "short": cause("dependency", 9000, gaps=3, longest_ns=4000),
        "long": cause("dependency", 90_000, gaps=3, longest_ns=40_000),
        "one": cause("late start", 90_000, gaps=3, longest_ns=80_000),
    }
    found = {
        key: idle_findings.waits(numbers(window(dependency=100_000), idle=[row]))
        for key, row in rows.items()
    }
    short, long, one = (found[key] for key in ("short", "long", "one"))
    assert short is not None
    assert long is not None
    assert one is not None
    assert (short.title, short.doubts) == ("Short gaps between kernels", ())
    assert long.title == one.title == "Launched, and not begun"
    assert len(long.doubts) == len(one.doubts) == 1
    assert "one gap of 80.000 us, and 2 others of 10.000 us together" in one.says
    assert one.next_step.startswith("Look at this gap")


def test_an_unknown_cause_is_called_unknown() -> None:
    """The next step is to record launches."""
    found = idle_findings.unknown(numbers(window(unknown=9), idle=[cause("unknown", 9)]))
    assert found is not None
    assert found.says == (
        "The GPU idles 9 ns of 9 ns (100.0 % of all idle time), and the trace has no launch of the "
        "work after: one gap."
    )
    assert "Record the CPU too" in found.next_step
