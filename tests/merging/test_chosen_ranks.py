"""Of a job only the wanted ranks are taken, under the numbers that they have in the whole job."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.generated import write_rank
from tests.support.launched import info, launched
from tp_tools.errors import InputError
from tp_tools.merging import job_files
from tp_tools.merging.chosen_ranks import of_ranks
from tp_tools.merging.rank_names import RankChoice

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def replicas(tmp_path: Path) -> list[str]:
    """Two replicas of two ranks, each of which counts from 0."""
    return [
        str(
            write_rank(
                tmp_path, f"17-TP-{rank}-DP-{dp}.trace.json", launched(1000, 1), **info(rank)
            )
        )
        for dp in range(2)
        for rank in range(2)
    ]


def test_a_rank_is_that_of_the_whole_job(replicas: list[str]) -> None:
    """Rank 3 is the second of the second replica; the others stay known, and are counted."""
    found = job_files.find(replicas)
    chosen = of_ranks(found, RankChoice(ranks=(range(3, 4),)))
    assert chosen.files == replicas[3:]
    assert [it.file for it in chosen.beside] == replicas[:3]
    assert [it.file for it in chosen.left_out] == replicas[:3]
    assert of_ranks(found, RankChoice()) is found


def test_a_file_alone_is_looked_into(replicas: list[str]) -> None:
    """Its rank is that of its header, though nobody had to read it before."""
    found = job_files.find(replicas[1:2])
    assert of_ranks(found, RankChoice(ranks=(range(1, 3),))).files == replicas[1:2]
    with pytest.raises(InputError, match=r"no file is of one of these ranks; there are 1\."):
        of_ranks(found, RankChoice(ranks=(range(4, 8),)))
