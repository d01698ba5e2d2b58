"""The files of one job in a folder: none is lost in silence, none is taken for another."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.support import folders
from tests.support.folders import BESIDE, Folder, Sizes, jobs, trace
from tests.support.reporters import Recorder
from tp_tools.errors import InputError
from tp_tools.merging import job_files
from tp_tools.merging.rank_names import RankChoice

TWO = {f"17.5-TP-{rank}.trace.json": trace((rank, 2)) for rank in range(2)}


def ranks_in(folder: Path | str, **choice: str) -> dict[str, int]:
    """The rank of each file of the job, by name."""
    found = job_files.find([str(folder)], RankChoice(**choice, allow_missing=True))
    ordered, _ = found.in_order()
    assert len({it.rank for it in ordered}) == len(ordered)
    return {Path(it.file).name: it.rank for it in ordered}


def written(folder: Path, texts: dict[str, str]) -> Path:
    """A folder with these files."""
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


@given(jobs())
def test_a_folder_of_any_framework(made: Folder) -> None:
    """Each file is the rank that the model says, and what is no rank is left out and named."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made.write(folder)
        found = job_files.find([name])
        assert {Path(it.file).name for it in found.left_out} == set(made.beside)
        assert {Path(it.file).name for it in found.traces} == set(made.said)
        assert ranks_in(folder) == made.ranks
        _, missing = found.in_order()
        assert missing == []


@given(jobs(), st.data())
def test_ranks_that_are_missing_move_no_other(made: Folder, data: st.DataObject) -> None:
    """Each file that says its rank among all ranks keeps it, whichever others are there."""
    assume(all(said == (made.ranks[name], len(made.said)) for name, said in made.said.items()))
    kept = data.draw(st.lists(st.sampled_from(sorted(made.said)), min_size=1, unique=True))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        replace(made, said={it: made.said[it] for it in kept}).write(folder)
        assert ranks_in(folder) == {it: made.ranks[it] for it in kept}


SGLANG = (folders.sglang_replicas, folders.sglang_attention)
SIZES = st.builds(Sizes, st.integers(1, 2), st.integers(1, 2), st.integers(1, 2))


@given(st.sampled_from(SGLANG), st.sampled_from(SGLANG), SIZES, SIZES, st.integers(1, 9999))
def test_two_servers_in_one_folder(first, second, one: Sizes, other: Sizes, later: int) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    """Whatever labels they have, two profiles are two; each can be chosen."""
    made = [first(one), second(replace(other, time=other.time + later))]
    assume(all(len(it.said) > 1 for it in made) or len(made[0].said) == len(made[1].said) == 1)
    with tempfile.TemporaryDirectory() as name:
        for it in made:
            it.write(Path(name))
        with pytest.raises(InputError, match=r"of 2 profiles: 17.* \(\d\), 17.*Choose one with"):
            ranks_in(name)
        for it in made:
            profile = next(iter(it.said)).split("-")[0]
            assert ranks_in(name, profile=profile) == it.ranks


@given(st.sampled_from(SGLANG), SIZES)
def test_stages_in_one_folder(make, sizes: Sizes) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    """Prefill and decode of the same ranks are told apart by their stage."""
    made = {stage: make(sizes, stage) for stage in ("prefill", "decode")}
    with tempfile.TemporaryDirectory() as name:
        for it in made.values():
            it.write(Path(name))
        with pytest.raises(InputError, match=r"of 2 stages: decode \(\d\), prefill.*--stage"):
            ranks_in(name)
        for stage, it in made.items():
            assert ranks_in(name, stage=stage) == it.ranks


@given(st.sampled_from([folders.vllm_dense, folders.vllm_experts]), SIZES, st.integers(9, 9999))
def test_two_rounds_in_one_folder(make, sizes: Sizes, later: int) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    """Two profiles of the same ranks, with nothing but the time between them."""
    made = [make(sizes), make(replace(sizes, time=sizes.time + later))]
    with tempfile.TemporaryDirectory() as name:
        for it in made:
            it.write(Path(name))
        with pytest.raises(InputError, match=r"of 2 profiles: 17.*Choose one with --profile"):
            ranks_in(name)
        for it in made:
            assert ranks_in(name, profile=min(it.said).split(".")[1]) == it.ranks


@pytest.mark.parametrize("shape", ["iteration_{}/rank{}_trace.json", "step_{}_rank_{}.json"])
def test_profiles_by_folder_and_by_name(tmp_path: Path, shape: str) -> None:
    """Iterations lie in folders of their own, or are called otherwise; a part of the name is it."""
    files = {shape.format(i, r): trace((r, 2)) for i in (10, 20) for r in range(2)}
    pattern = written(tmp_path, files) / "**" / "*rank*.json"
    with pytest.raises(InputError, match=r"2 profiles: .*10.*\(2\), .*20.*\(2\)"):
        ranks_in(pattern)
    assert sorted(ranks_in(pattern, profile="20").values()) == [0, 1]
    with pytest.raises(InputError, match=r"no file is of profile '30'; there are: .*10"):
        ranks_in(pattern, profile="30")


def test_times_that_ranks_read_for_themselves_are_one_profile(tmp_path: Path) -> None:
    """SGLang once named each file after the moment at which its rank began."""
    files = {f"1764012345.{r}8-TP-{r}.trace.json": trace((r, 3)) for r in range(3)}
    assert sorted(ranks_in(written(tmp_path, files)).values()) == [0, 1, 2]


@pytest.mark.parametrize("name", ["server_args.json", "kernels.json", "rank0_memory-timeline.json"])
def test_a_file_that_was_named_is_not_left_out(tmp_path: Path, name: str) -> None:
    """Whoever names a file that is no trace is told so."""
    written(tmp_path, {**TWO, name: BESIDE[name]})
    with pytest.raises(InputError, match=f"{name}: is not a Chrome JSON trace"):
        job_files.find([str(path) for path in tmp_path.iterdir()])


def test_a_merged_trace_alone_is_the_trace(tmp_path: Path) -> None:
    """Beside its ranks it is left out; where there are none, it is what was meant."""
    written(tmp_path, {"all.json": BESIDE["all.json.gz"], "notes.json": "{}"})
    assert [Path(it).name for it in job_files.find([str(tmp_path)]).files] == ["all.json"]


def test_a_folder_without_traces_says_what_it_holds(tmp_path: Path) -> None:
    """The error names the files that were left out, and why."""
    written(tmp_path, {"server_args.json": "{}"})
    with pytest.raises(InputError, match=r"holds no trace\. server_args\.json: no trace: it has"):
        job_files.find([str(tmp_path)])


@pytest.mark.parametrize("text", ["", "version https://git-lfs.github.com/spec/v1\n", '{"a": '])
def test_a_file_that_cannot_be_read_costs_no_other(tmp_path: Path, text: str) -> None:
    """An empty file or a pointer in the place of a rank is a missing rank, with a reason."""
    folder = written(tmp_path, {**TWO, "rank1.json": text})
    found = job_files.find([str(folder)])
    (broken,) = found.left_out
    assert (Path(broken.file).name, broken.is_broken) == ("rank1.json", True)
    assert broken.why
    assert not broken.why.startswith(str(folder))
    with pytest.raises(InputError, match=r"rank1\.json: "):
        job_files.find([str(folder / name) for name in (*TWO, "rank1.json")])


def test_a_rank_without_a_number_in_a_job_that_is_not_complete(tmp_path: Path) -> None:
    """It may be one of those that are missing: nobody can know, unless it has no GPU work."""
    files = {f"rank{rank}.json": trace((rank, 4)) for rank in range(2)}
    folder = written(tmp_path, {**files, "other.json": trace(None)})
    with pytest.raises(InputError, match=r"other\.json: its rank is unknown"):
        ranks_in(folder)
    written(folder, {"other.json": json.dumps({"traceEvents": [folders.CALL]})})
    assert ranks_in(folder) == {"rank0.json": 0, "rank1.json": 1}


def test_copies_and_converted_traces_are_left_out(tmp_path: Path) -> None:
    """Files that `tp-tools fix` wrote beside a trace, in either format, are left out."""
    names = ["17.5-TP-0.trace.fixed.json", "17.5-TP-0.trace.pftrace", "job.pftrace"]
    found = job_files.find([str(written(tmp_path, {**TWO, **dict.fromkeys(names, "\n")}))])
    assert [Path(it).name for it in found.files] == sorted(TWO)
    assert sorted(Path(it.file).name for it in found.left_out) == names
    recorder = Recorder()
    found.say_left_out(recorder)
    assert recorder.notes == [
        "Left out: 17.5-TP-0.trace.fixed.json: repaired copies, beside their traces.",
        f"Left out: {names[1]}, {names[2]}: Perfetto's own format, beside Chrome JSON.",
    ]


def test_two_rounds_whose_ranks_read_the_time_for_themselves(tmp_path: Path) -> None:
    """Each file has an id of its own, and yet there are two profiles."""
    files = {
        f"{time}.{r}8-TP-{r}.trace.json": trace((r, 2))
        for time in (1764012345, 1764019345)
        for r in range(2)
    }
    folder = written(tmp_path, files)
    with pytest.raises(InputError, match=r"2 profiles: 1764012345\.08 \(2\), 1764019345\.08 \(2\)"):
        ranks_in(folder)
    assert sorted(ranks_in(folder, profile="1764019345").values()) == [0, 1]
    for path in [*folder.glob("1764012345*TP-0*"), *folder.glob("1764019345*TP-1*")]:
        path.unlink()
    with pytest.raises(InputError, match=r"2 profiles: 1764012345\.18 \(1\), 1764019345\.08"):
        ranks_in(folder)


def test_rounds_with_their_front_ends(tmp_path: Path) -> None:
    """Each round of vLLM has a trace of its front end."""
    idle = json.dumps({"traceEvents": [folders.CALL]})
    files = {
        f"dp0_pp0_tp{r}_dcp0_ep0_rank{r}.{time}{r}.pt.trace.json": trace((r, 2))
        for time in (176401234567, 176401934567)
        for r in range(2)
    }
    fronts = {f"n_1.async_llm.{time}9.pt.trace.json": idle for time in (176401234567, 176401934567)}
    folder = written(tmp_path, {**files, **fronts})
    with pytest.raises(InputError, match=r"2 profiles: 1764012345670 \(2\), 1764019345670 \(2\)"):
        ranks_in(folder)
    assert sorted(ranks_in(folder, profile="1764019345670").values()) == [0, 1]


def test_servers_of_unlike_sizes_with_names_alike(tmp_path: Path) -> None:
    """Prefill on two ranks and decode on four, at one time and under names of one kind."""
    files = {
        f"dp0_pp0_tp{r}_dcp0_ep0_rank{r}.176401234567{size + r}.pt.trace.json": trace((r, size))
        for size in (2, 4)
        for r in range(size)
    }
    folder = written(tmp_path, files)
    with pytest.raises(InputError, match=r"2 profiles: 2-ranks \(2\), 4-ranks \(4\)"):
        ranks_in(folder)
    assert sorted(ranks_in(folder, profile="4-ranks").values()) == [0, 1, 2, 3]


def test_a_merged_file_that_says_the_rank_of_its_first(tmp_path: Path) -> None:
    """Some who merge copy the header of rank 0: the name says what the file is."""
    written(tmp_path, {**TWO, "merged-17.5.trace.json": trace((0, 2))})
    assert sorted(ranks_in(tmp_path).values()) == [0, 1]


def test_a_size_in_the_name_of_a_job_is_no_stage(tmp_path: Path) -> None:
    """A job that is called after its size is no profile of SGLang."""
    files = {f"llama-TP-8-rank{r}.trace.json": trace((r, 8)) for r in range(8)}
    assert sorted(ranks_in(written(tmp_path, files)).values()) == list(range(8))


def test_places_tell_ranks_of_machines_apart(tmp_path: Path) -> None:
    """Of files that say a rank within their machine, TP and PP say which they are."""
    names = [f"worker{pp}_pp{pp}_tp{tp}.json" for pp in range(2) for tp in range(2)]
    found = ranks_in(written(tmp_path, dict.fromkeys(names, trace(None))))
    assert found == {name: rank for rank, name in enumerate(names)}
