"""A report in use: the strip, the links into the timeline, and readers of every sort."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from fixtures.make import HERE as FIXTURES
from tests.support.command_line import TpTools
from tests.support.pages import generated, made, shown

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser

    from tests.support.pages import Report

pytestmark = pytest.mark.browser

DECODE = FIXTURES / "pdl_decode.json.gz"
_IDLE = """
([row, idle]) => {
    const canvas = document.querySelectorAll('#strip-rows canvas')[row];
    const color = getComputedStyle(document.documentElement).getPropertyValue(idle).trim();
    const pen = Object.assign(document.createElement('canvas'), {width: 1, height: 1});
    const context = pen.getContext('2d');
    context.fillStyle = color;
    context.fillRect(0, 0, 1, 1);
    const [red, green, blue] = context.getImageData(0, 0, 1, 1).data;
    const {data} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    let painted = 0, found = 0;
    for (let at = 0; at < data.length; at += 4) {
        if (data[at + 3] < 128) continue;
        painted += 1;
        found += data[at] === red && data[at + 1] === green && data[at + 2] === blue;
    }
    return found / painted;
}
"""


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The traces of three ranks."""
    return generated(tmp_path_factory.mktemp("job"), 3, 4)


@pytest.fixture(scope="module")
def page(job: list[Path]) -> Path:
    """Their report."""
    return made(job[0].parent, *job)


@pytest.fixture(scope="module")
def of_job(page: Path, browser: Browser) -> Iterator[Report]:
    """That, in a browser; a test puts back what it changes."""
    with shown(browser, page) as report:
        yield report
        assert report.troubles == []


@pytest.fixture(scope="module")
def of_one(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Report]:
    """The report of one rank."""
    with shown(browser, made(tmp_path_factory.mktemp("one"), DECODE)) as report:
        yield report


def test_the_strip_shows_each_gpu(
    of_job: Report, job: list[Path], capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """A row per GPU on the first screen; what it paints as idle is about what gpu_time says."""
    ran = TpTools(capsysbinary)("query", "gpu_time", *job, "--format", "json").rows()
    bottom = of_job.page.locator("#strip-rows").bounding_box()
    assert bottom is not None
    assert bottom["y"] + bottom["height"] < 900
    for number, row in enumerate(ran):
        painted = of_job.page.evaluate(_IDLE, [number, "--idle"])
        assert painted == pytest.approx(row["idle_ns"] / row["span_ns"], abs=0.06)


def test_the_strip_can_be_zoomed(of_job: Report) -> None:
    """By buttons and by dragging; and it can be seen whole again."""
    shown_page = of_job.page
    strip = shown_page.locator("#strip")
    whole = of_job.text("#strip-ticks")
    button = strip.get_by_role("button", name="Show all")
    assert button.is_disabled()
    strip.get_by_role("button", name="Zoom in").click()
    closer = of_job.text("#strip-ticks")
    strip.get_by_role("button", name="Later").click()
    assert len({whole, closer, of_job.text("#strip-ticks")}) == 3
    button.click()
    assert of_job.text("#strip-ticks") == whole
    box = shown_page.locator("#strip-rows canvas").first.bounding_box()
    assert box is not None
    shown_page.mouse.move(box["x"] + 300, box["y"] + 5)
    shown_page.mouse.down()
    shown_page.mouse.move(box["x"] + 340, box["y"] + 8, steps=3)
    assert shown_page.locator("#strip-mark").is_visible()
    shown_page.mouse.up()
    assert of_job.text("#strip-ticks") != whole
    assert not shown_page.locator("#strip-command").is_visible()
    assert re.search(r"rank 0, .* to .*: .* %", of_job.text("#strip-said"))
    button.click()  # as it was
    assert of_job.text("#strip-ticks") == whole


def test_a_click_into_the_strip_gives_the_place(
    of_one: Report, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """Its left end is the first GPU work, at the time that the timeline shows for it."""
    tp_tools = TpTools(capsysbinary)
    (gpu,) = tp_tools("query", "gpu_time", DECODE, "--format", "json").rows()
    sql = "SELECT MIN(ts) AS start FROM slice"
    rows = tp_tools("query", "-e", sql, DECODE, "--all-categories", "--format", "json").rows()
    canvas = of_one.page.locator("#strip-rows canvas")
    canvas.click(position={"x": 0, "y": 10})
    text = of_one.text("#strip-command code")
    match = re.fullmatch(r"tp-tools view pdl_decode\.json\.gz --at (\d+\.\d{3})ms", text)
    assert match is not None
    box = canvas.bounding_box()
    assert box is not None
    pixel_ms = gpu["span_ns"] / box["width"] / 1e6
    expected = (gpu["ts"] - rows[0]["start"]) / 1e6
    assert float(match[1]) == pytest.approx(expected, abs=pixel_ms + 0.001)


def test_rows_lead_to_the_timeline(
    of_one: Report, of_job: Report, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """Gaps and kernels name a slice of the file, collectives a time; the button copies it."""
    sql = "SELECT id, name, dur FROM slice"
    ran = TpTools(capsysbinary)("query", "-e", sql, DECODE, "--all-categories", "--format", "json")
    slices: dict[int, dict[str, Any]] = {row["id"]: row for row in ran.rows()}
    for figure, name in (("top-kernels", "name"), ("longest-gaps", "after")):
        for row in of_one.rows(figure):
            command = row["view"] or ""
            assert command.startswith("tp-tools view pdl_decode.json.gz --at ")
            there = slices[int(command.rpartition(" ")[2])]
            assert there["name"] == row[name]
            assert figure == "longest-gaps" or str(there["dur"]) == row["max_ns"]
    shown_page = of_job.page
    shown_page.evaluate("navigator.clipboard.writeText = async text => { window.copied = text; }")
    shown_page.locator("#skew summary").click()
    shown_page.locator("#skew button[data-command^='tp-tools view']").first.click()
    last, command = (of_job.rows("skew")[0][key] or "" for key in ("straggler", "view"))
    assert shown_page.evaluate("window.copied") == command
    file = f"{last.replace(' ', '')}.json.gz"
    assert re.fullmatch(rf"tp-tools view {re.escape(file)} --at \d+\.\d{{3}}ms", command)


def test_ids_are_given_once(of_one: Report, of_job: Report) -> None:
    """Links lead to one element."""
    for report in (of_one, of_job):
        ids = report.page.evaluate("[...document.querySelectorAll('[id]')].map(it => it.id)")
        ours = [it for it in ids if not re.search(r"[0-9a-f]{6}", it)]  # plotly has its own
        assert len(ours) == len(set(ours))


def test_hostile_names_do_nothing_in_the_strip(browser: Browser, tmp_path: Path) -> None:
    """File names and names of ranks are text in attributes, scripts and commands."""
    name = """rank0 <img src=x onerror=alert(1)> '"$(touch x).json"""
    trace = tmp_path / name
    trace.write_text(
        json.dumps(
            {
                "traceEvents": [
                    {"ph": "X", "cat": "kernel", "name": "k", "pid": 0, "tid": 7}
                    | {"ts": 1, "dur": 5, "args": {"device": 0, "stream": 7}}
                ]
            }
        )
    )
    with shown(browser, made(tmp_path, trace)) as report:
        report.page.locator("#strip-rows canvas").click(position={"x": 3, "y": 3})
        assert report.page.locator("img").count() == 0
        assert "$(touch x)" in report.text("#strip-command code")
        assert report.troubles == []
