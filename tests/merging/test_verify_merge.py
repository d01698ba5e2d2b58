"""A merge is proven against its ranks, event by event, and each damage of it is found."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from fixtures import generate_ranks
from tests.support import generated
from tp_tools.errors import VerificationError
from tp_tools.files import Source
from tp_tools.merging import output as merge_output
from tp_tools.merging import preparation
from tp_tools.merging.summary import summary
from tp_tools.merging.verify_merge import verify
from tp_tools.processes.pool import ALONE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tp_tools.merging.preparation import MergePlan

    Events = list[dict[str, Any]]

WISHES = [
    preparation.MergeOptions(),
    preparation.MergeOptions(gpu_only=True, short_names=True),
    preparation.MergeOptions(start_ns=200_000, end_ns=600_000, links=False),
]


def merged(folder: Path, wishes: preparation.MergeOptions) -> tuple[MergePlan, Path]:
    """A merge of three generated ranks with launches, kernels that overlap, and collectives."""
    step = generate_ranks.structure(generated.STEP)
    job = generate_ranks.generate(step, generate_ranks.Wishes(ranks=3, steps=3))
    files = [Source(path, str(path)) for path in generate_ranks.written(job, folder)]
    plan = preparation.prepare(files, wishes, ALONE, folder=folder)
    path = folder / "all.json"
    path.write_bytes(b"".join(merge_output.blocks(plan, ALONE, summary(plan))))
    return plan, path


@pytest.mark.parametrize("wishes", WISHES, ids=["whole", "gpu only", "window"])
def test_what_merge_writes_is_proven(tmp_path: Path, wishes: preparation.MergeOptions) -> None:
    """Whole, and of a selection; with short names, with and without arrows between ranks."""
    plan, path = merged(tmp_path, wishes)
    verify(path, "all.json", plan)


def kernels(events: Events) -> Events:
    """The kernels, in the order of the file."""
    return [it for it in events if it.get("cat") == "kernel"]


def later(events: Events) -> None:
    """A kernel starts 1 ns later."""
    kernels(events)[5]["ts"] += 0.001


def longer(events: Events) -> None:
    """A kernel ends 1 ns later."""
    kernels(events)[5]["dur"] += 0.001


def renamed(events: Events) -> None:
    """A kernel has another name."""
    kernels(events)[5]["name"] = "another"


def elsewhere(events: Events) -> None:
    """A kernel is on the thread of a call."""
    kernels(events)[5]["tid"] = next(it for it in events if it.get("cat") == "cuda_runtime")["tid"]


def lost(events: Events) -> None:
    """A kernel is missing."""
    events.remove(kernels(events)[5])


def foreign(events: Events) -> None:
    """A slice stands behind all others, in the process of a rank."""
    events.append(dict(kernels(events)[5]))


def turned(events: Events) -> None:
    """The arrow of a launch ends at the kernel of another one."""
    ends = [it for it in events if it["ph"] == "f" and it.get("cat") == "ac2g"]
    ends[3]["id"], ends[4]["id"] = ends[4]["id"], ends[3]["id"]


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (later, "the starts of 1 of its events"),
        (longer, "the ends of 1 of its events"),
        (renamed, "the names of 1 of its events"),
        (elsewhere, "the threads of 1 of its events"),
        (lost, "of its events are not those of the input"),
        (foreign, "it has events of no rank"),
        (turned, "2 launch arrows are missing"),
    ],
)
def test_damage_is_found(tmp_path: Path, damage: Callable[[Events], None], said: str) -> None:
    """Of each kind, once."""
    plan, path = merged(tmp_path, WISHES[0])
    trace = json.loads(path.read_bytes())
    damage(trace["traceEvents"])
    path.write_text(json.dumps(trace))
    with pytest.raises(VerificationError, match=said):
        verify(path, "all.json", plan)


def test_a_cut_file_has_too_few_events(tmp_path: Path) -> None:
    """Nothing but the names of the first rank is there."""
    plan, path = merged(tmp_path, WISHES[0])
    path.write_text('{"traceEvents": []}')
    with pytest.raises(VerificationError, match="rank 0: it has 0 events instead of"):
        verify(path, "all.json", plan)
