"""Ids of flows that slices carry: one rank's are those of no other."""

from tp_tools.merging.bind_ids import BindIds


def test_no_rank_has_the_ids_of_another() -> None:
    """One recorded id gives one id of the rank, whatever its size."""
    ranks = [BindIds(rank) for rank in (0, 1, 4095)]
    recorded = [0, 7, 1 << 63, 7]
    given = [[rank.of(number) for number in recorded] for rank in ranks]
    assert all(ids[1] == ids[3] for ids in given)
    assert len({number for ids in given for number in ids}) == 3 * len(ranks)
    assert all(0 < number < 1 << 63 for ids in given for number in ids)
