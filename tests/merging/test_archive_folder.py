"""`merge --format archive --ranks-per-file N`: several archives on the clock of the whole job."""

from __future__ import annotations

import json
import re
import sys
import zipfile
from html import unescape
from typing import TYPE_CHECKING, Any

import pytest

from fixtures import generate_ranks
from tests.support.command_line import TpTools
from tests.support.generated import STEP, write_rank
from tests.support.launched import launched
from tp_tools.errors import OutputError
from tp_tools.files import output_folder
from tp_tools.merging.archive_folder import divided

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def tp_tools(capsysbinary: pytest.CaptureFixture[bytes]) -> TpTools:
    """Runs the command line."""
    return TpTools(capsysbinary)


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six ranks of three machines, on clocks that differ."""
    folder = tmp_path_factory.mktemp("job")
    wishes = generate_ranks.Wishes(
        ranks=6, steps=4, args="comms_id", hosts=3, lossy_rank=None, only_collectives=True
    )
    made = generate_ranks.generate(generate_ranks.structure(STEP), wishes)
    assert len(list(generate_ranks.written(made, folder, ".json"))) == 6
    return folder


def index_of(folder: Path) -> dict[str, Any]:
    """The index of a folder of archives."""
    found: dict[str, Any] = json.loads((folder / "index.json").read_text())
    return found


def members_of(archive: Path) -> dict[str, bytes]:
    """The ranks in an archive by their names."""
    with zipfile.ZipFile(archive) as packed:
        assert packed.testzip() is None
        return {it: packed.read(it) for it in packed.namelist() if it.startswith("rank")}


SPLIT = ("--format", "archive", "--ranks-per-file")


def test_ranks_are_those_of_one_archive(tp_tools: TpTools, job: Path, tmp_path: Path) -> None:
    """Byte for byte, though each archive holds but a part of the job; the index says what it is."""
    one, folder = tmp_path / "all.zip", tmp_path / "parts"
    short = ("--short-names",)
    assert tp_tools("merge", job, "-o", one, "--format", "archive", *short).code == 0
    ran = tp_tools("merge", job, "-o", folder, *SPLIT, "4", *short, "--summary", "json", "--verify")
    assert ran.code == 0, ran.err
    assert f"Wrote {folder}, verified." in ran.err
    names = ["ranks-0000-0003.zip", "ranks-0004-0005.zip"]
    assert sorted(it.name for it in folder.iterdir()) == ["index.html", "index.json", *names]
    parts = [members_of(folder / name) for name in names]
    assert [list(it) for it in parts] == [
        [f"rank{rank}.json" for rank in of] for of in (range(4), range(4, 6))
    ]
    assert parts[0] | parts[1] == members_of(one)
    index = index_of(folder)
    assert [it["file"] for it in index["archives"]] == names
    assert [it["bytes"] for it in index["archives"]] == [
        (folder / name).stat().st_size for name in names
    ]
    total = json.loads(ran.out)
    assert sum(it["events"] for it in index["archives"]) == total["events"]
    assert sum(it["slices"] for it in index["archives"]) == total["slices"]
    assert min(it["start_ns"] for of in index["archives"] for it in of["ranks"]) == 0
    starts = {it["rank"]: it["start_ns"] for of in index["archives"] for it in of["ranks"]}
    text = json.loads(parts[1]["rank5.json"])
    first = min(round(e["ts"] * 1000) for e in text["traceEvents"] if e["ph"] == "X")
    assert starts[5] == text["baseTimeNanoseconds"] + first - index["first_ns"]


def test_the_page_lists_archives_and_ranks(tp_tools: TpTools, job: Path, tmp_path: Path) -> None:
    """With links to files that are there, machines, and nothing that it would have to load."""
    folder = tmp_path / "parts"
    assert tp_tools("merge", job, "-o", folder, *SPLIT, "2").code == 0
    page = unescape((folder / "index.html").read_text())
    links = re.findall(r'href="([^"]+)"', page)
    assert links == [f"ranks-{first:04}-{first + 1:04}.zip" for first in (0, 2, 4)]
    assert all((folder / name).is_file() for name in links)
    assert "<h1>6 ranks in 3 archives</h1>" in page
    for text in ("node-2", "rank5.json", "ranks-0004-0005.zip"):
        assert text in page
    assert "src=" not in page
    assert "<script" not in page
    hosts = [[rank["host"] for rank in it["ranks"]] for it in index_of(folder)["archives"]]
    assert hosts == [["node-0"] * 2, ["node-1"] * 2, ["node-2"] * 2]


WARNINGS = ["form 2 groups that share no collectives", "4 ranks are not set by collectives"]


@pytest.mark.parametrize(
    ("align", "groups", "words"),
    [("auto", 1, []), ("auto", 2, WARNINGS[:1]), ("base", 1, WARNINGS[1:])],
)
def test_the_page_says_what_times_are_worth(
    tp_tools: TpTools, tmp_path: Path, align: str, groups: int, words: list[str]
) -> None:
    """Clocks that no collective set, and groups that share none, are told."""
    wishes = generate_ranks.Wishes(
        ranks=4, steps=4, args="seq", groups=groups, lossy_rank=None, only_collectives=True
    )
    made = generate_ranks.generate(generate_ranks.structure(STEP), wishes)
    (tmp_path / "in").mkdir()
    files = list(generate_ranks.written(made, tmp_path / "in", ".json"))
    folder = tmp_path / "parts"
    ran = tp_tools("merge", *files, "-o", folder, *SPLIT, "2", "--align", align)
    assert ran.code == 0, ran.err
    page = (folder / "index.html").read_text()
    assert [it for it in WARNINGS if it in page] == words
    found = {rank["aligned_by"] for it in index_of(folder)["archives"] for rank in it["ranks"]}
    assert found == {"collectives" if align == "auto" else "base"}
    is_apart = align == "auto" and groups > 1
    assert ("in 2 groups that share no collectives" in ran.err) == is_apart


def test_names_of_a_trace_are_text_on_the_page(tp_tools: TpTools, tmp_path: Path) -> None:
    """A machine may be called like a tag."""
    said = {"distributedInfo": {"rank": 0, "world_size": 1}, "host_name": "<img src=x>"}
    write_rank(tmp_path / "in", "rank0.json", launched(100, 1), **said)
    folder = tmp_path / "parts"
    assert tp_tools("merge", tmp_path / "in", "-o", folder, *SPLIT, "1").code == 0
    assert "<img" not in (folder / "index.html").read_text()


@pytest.mark.parametrize(
    ("hosts", "most", "groups"),
    [
        (["", "", "", "", ""], 2, [[0, 1], [2, 3], [4]]),
        (["a", "b", "a", "b"], 2, [[0, 2], [1, 3]]),
        (["a", "a", "a", "b", "b", "c"], 4, [[0, 1, 2], [3, 4, 5]]),
        (["a", "a", "a", "b"], 2, [[0, 1], [2, 3]]),
        (["a", "", "a"], 2, [[0, 2], [1]]),
        (["a", "a"], 8, [[0, 1]]),
    ],
)
def test_ranks_of_a_machine_stay_together(
    hosts: list[str], most: int, groups: list[list[int]]
) -> None:
    """Where they fit into one archive; ranks of unknown machines fill up in order."""
    assert divided(hosts, most) == groups


def test_an_earlier_folder_is_replaced_with_force_alone(
    tp_tools: TpTools, job: Path, tmp_path: Path
) -> None:
    """All of it, so that no archive of another division stays; any other folder stays as it is."""
    folder = tmp_path / "parts"
    assert tp_tools("merge", job, "-o", folder, *SPLIT, "2").code == 0
    ran = tp_tools("merge", job, "-o", folder, *SPLIT, "3")
    assert (ran.code, "Give --force" in ran.err) == (2, True)
    assert tp_tools("merge", job, "-o", folder, *SPLIT, "6", "--force").code == 0
    assert sorted(it.name for it in folder.glob("*.zip")) == ["ranks-0000-0005.zip"]
    (folder / "notes.txt").write_text("mine")
    before = sorted(folder.iterdir())
    ran = tp_tools("merge", job, "-o", folder, *SPLIT, "2", "--force")
    assert (ran.code, "holds notes.txt" in ran.err) == (2, True)
    assert sorted(folder.iterdir()) == before


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such call")
def test_an_earlier_folder_is_never_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It and the new one exchange their names in one call: no rename in which SIGKILL loses it."""
    target = tmp_path / "archives"
    target.mkdir()
    (target / "old").touch()
    with output_folder.written(str(target)) as made:
        (made / "new").touch()
        monkeypatch.delattr("pathlib.Path.rename")
    assert [it.name for it in tmp_path.rglob("*")] == ["archives", "new"]


def test_an_earlier_folder_is_replaced_where_names_cannot_be_exchanged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file system that lacks it: the earlier one is renamed first."""
    monkeypatch.setattr(output_folder, "exchange", lambda *_: False)
    target = tmp_path / "archives"
    target.mkdir()
    (target / "old").touch()
    with output_folder.written(str(target)) as made:
        (made / "new").touch()
    assert [it.name for it in tmp_path.rglob("*")] == ["archives", "new"]


def test_a_failure_leaves_nothing_and_changes_nothing(tmp_path: Path) -> None:
    """The folder of before stays, and no temporary one is left."""
    folder = tmp_path / "parts"
    folder.mkdir()
    (folder / "index.json").write_text("before")

    def fill() -> None:
        with output_folder.written(str(folder)) as made:
            (made / "index.json").write_text("after")
            raise OSError(28, "No space left on device")  # simulates a full disk

    with pytest.raises(OutputError, match="No space left"):
        fill()
    assert [it.name for it in tmp_path.iterdir()] == ["parts"]
    assert (folder / "index.json").read_text() == "before"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("-o", "-", *SPLIT, "2"), "name a folder"),
        (("-o", "{file}", *SPLIT, "2"), "is a file"),
        (("-o", "{file}/none/parts", *SPLIT, "2"), "does not exist"),
        (("-o", "{new}", "--ranks-per-file", "2"), "give --format archive"),
        (("-o", "{new}", *SPLIT, "2", "--gpu-only"), "cannot select events"),
    ],
)
def test_what_cannot_be_written(
    tp_tools: TpTools, job: Path, tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    """One line says it before any rank is read."""
    file = tmp_path / "file"
    file.write_text("mine")
    given = [it.format(file=file, new=tmp_path / "new") for it in arguments]
    ran = tp_tools("merge", job, *given)
    assert ran.code != 0
    assert words in ran.err
    assert "reading" not in ran.err
    assert [it.name for it in tmp_path.iterdir()] == ["file"]


def test_the_folder_may_lie_beside_the_ranks(tp_tools: TpTools, tmp_path: Path) -> None:
    """It is no trace: the same command runs again with --force."""
    for rank in range(2):
        said = {"distributedInfo": {"rank": rank, "world_size": 2}}
        write_rank(tmp_path, f"rank{rank}.json", launched(100, 1), **said)
    for force in ((), ("--force",)):
        ran = tp_tools("merge", tmp_path, "-o", tmp_path / "parts", *SPLIT, "1", *force)
        assert ran.code == 0, ran.err
    assert len(index_of(tmp_path / "parts")["archives"]) == 2
