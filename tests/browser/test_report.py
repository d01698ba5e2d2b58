"""Reports as readers see them, in Chromium: their numbers are those of `tp-tools query`."""

from __future__ import annotations

import json
from collections import defaultdict
from statistics import median
from typing import TYPE_CHECKING, Any

import pytest

from fixtures.make import HERE as FIXTURES
from tests.support import axe
from tests.support.command_line import TpTools, kernel, run, write_trace
from tests.support.pages import generated, made, shown
from tp_tools import library
from tp_tools.reporting.gaps import CAUSES
from tp_tools.reporting.tables import duration
from tp_tools.trace.short_names import short_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser

    from tests.support.pages import ColorScheme, Report

pytestmark = pytest.mark.browser

DECODE = FIXTURES / "pdl_decode.json.gz"
GLOO = FIXTURES / "gloo4"
NAMES = (
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(2)>",
    """k<float, "a" & 'b'>(int*) %{x} $y$ <b>bold</b>""",
)


PRINTED_ROWS = 30
ABOUT_THE_JOB = ("allreduce", "gaps", "gpu_time", "kernels", "stragglers", "verdict")


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The traces of eight ranks."""
    return generated(tmp_path_factory.mktemp("job"), 8, 6)


@pytest.fixture(scope="module")
def of_the_job(
    job: list[Path], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, list[dict[str, Any]]]:
    """The rows of queries on them, which one `tp-tools query` gives: they are loaded once."""
    folder = tmp_path_factory.mktemp("rows")
    run("query", ",".join(ABOUT_THE_JOB), *job, "--format", "json", "-q", "-o", folder)
    return {name: json.loads((folder / f"{name}.json").read_text()) for name in ABOUT_THE_JOB}


@pytest.fixture
def ask(
    job: list[Path],
    of_the_job: dict[str, list[dict[str, Any]]],
    capsysbinary: pytest.CaptureFixture[bytes],
) -> Callable[..., list[dict[str, Any]]]:
    """Gives the rows of `tp-tools query`."""
    tp_tools = TpTools(capsysbinary)

    def rows(name: str, *traces: Path) -> list[dict[str, Any]]:
        if list(traces) == job:
            return of_the_job[name]
        return tp_tools("query", name, *traces, "--format", "json").rows()

    return rows


@pytest.fixture(scope="module")
def page(job: list[Path]) -> Path:
    """Their report."""
    return made(job[0].parent, *job)


@pytest.fixture(scope="module")
def of_job(page: Path, browser: Browser) -> Iterator[Report]:
    """That, in a browser; a test puts back what it changes."""
    with shown(browser, page) as report:
        yield report


@pytest.fixture(scope="module")
def of_one(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Report]:
    """The report of one rank."""
    with shown(browser, made(tmp_path_factory.mktemp("one"), DECODE)) as report:
        yield report


def test_gpu_time_is_that_of_the_query(
    of_job: Report, job: list[Path], ask: Callable[..., list[dict[str, Any]]]
) -> None:
    """Table and bars hold, per rank, what gpu_time says, and its parts fill the whole span."""
    rows = ask("gpu_time", *job)
    assert of_job.column("gpu-time", "label") == [f"rank {row['rank']}" for row in rows]
    for key in ("exposed_communication_ns", "exposed_copy_ns", "idle_ns", "span_ns"):
        assert of_job.ints("gpu-time", key) == [row[key] for row in rows]
    hidden = [row["communication_ns"] - row["exposed_communication_ns"] for row in rows]
    assert of_job.ints("gpu-time", "hidden_communication_ns") == hidden
    assert of_job.floats("gpu-time", "busy_percent") == [row["busy_percent"] for row in rows]
    bars = of_job.bars("gpu-time")
    assert bars["idle"] == [row["idle_ns"] for row in rows]
    whole = [sum(parts) for parts in zip(*bars.values(), strict=True)]
    assert whole == [row["span_ns"] for row in rows]
    assert of_job.names("gpu-time") == of_job.column("gpu-time", "label")
    longest = max(of_job.bar_widths("gpu-time"))
    shown_shares = [width / longest for width in of_job.bar_widths("gpu-time")]
    assert shown_shares == pytest.approx([span / max(whole) for span in whole], abs=0.02)


def test_exposed_communication_is_waiting_or_on_the_wire(
    of_job: Report, job: list[Path], ask: Callable[..., list[dict[str, Any]]]
) -> None:
    """Waiting is what verdict says, and the two are what gpu_time calls exposed."""
    waits = [row["waiting_ns"] for row in ask("verdict", *job) if row["part"] == "all"]
    assert of_job.ints("gpu-time", "waiting_ns") == waits
    assert sum(waits) > 0
    wire = of_job.ints("gpu-time", "wire_ns")
    exposed = of_job.ints("gpu-time", "exposed_communication_ns")
    assert [a + (b or 0) for a, b in zip(waits, wire, strict=True)] == exposed
    bars = of_job.bars("gpu-time")
    assert bars["exposed communication: waiting for a rank"] == waits
    assert bars["exposed communication: on the wire"] == wire


def test_kernels_are_those_of_the_query(
    of_job: Report, job: list[Path], ask: Callable[..., list[dict[str, Any]]]
) -> None:
    """Each name's time is the sum over ranks, in the table and as the length of its bar."""
    totals: dict[str, int] = defaultdict(int)
    for row in ask("kernels", *job):
        totals[row["name"]] += row["total_ns"]
    times = of_job.ints("top-kernels", "total_ns")
    names = of_job.column("top-kernels", "name")
    assert dict(zip(names, times, strict=True)) == dict(
        sorted(totals.items(), key=lambda pair: -pair[1])[:100]
    )
    drawn = [sum(lengths) for lengths in zip(*of_job.bars("top-kernels").values(), strict=True)]
    assert drawn == times[:20]
    assert of_job.numbers("top-kernels")[0].startswith(duration(times[0] or 0))


def test_gaps_are_those_of_the_query(
    of_job: Report, job: list[Path], ask: Callable[..., list[dict[str, Any]]]
) -> None:
    """The longest gaps come with their cause; causes add up to all that the rank was idle."""
    rows = ask("gaps", *job)
    longest = sorted((row["dur"] for row in rows), reverse=True)[:100]
    assert of_job.ints("longest-gaps", "dur") == longest
    by_cause: dict[tuple[str, str], int] = defaultdict(int)
    for row in rows:
        for cause, (_, key, _, _) in CAUSES.items():
            by_cause[f"rank {row['rank']}", cause or "not known"] += row[key]
    table = {
        (str(row["label"]), cause): int(row[cause] or 0)
        for row in of_job.rows("idle-by-cause")
        for cause in set(row) & {cause or "not known" for cause in CAUSES}
    }
    assert table == {key: by_cause[key] for key in table}
    assert sum(table.values()) == sum(by_cause.values())
    assert of_job.ints("idle-by-cause", "idle_ns") == of_job.ints("gpu-time", "idle_ns")


def test_lateness_is_that_of_the_query(
    of_job: Report, job: list[Path], ask: Callable[..., list[dict[str, Any]]]
) -> None:
    """The heat map has every sure collective, and the worst skew is that which allreduce says."""
    rows = [row for row in ask("allreduce", *job) if row["confidence"] == "certain"]
    worst = sorted((row["skew_us"] for row in rows), reverse=True)
    assert of_job.floats("skew", "skew_us") == pytest.approx(worst[:40])
    (heat,) = of_job.drawn("skew")
    assert len(heat["x"]) == len(rows)
    assert heat["y"] == [f"rank {rank}" for rank in range(8)]
    latest = [max(z for z in column if z is not None) for column in zip(*heat["z"], strict=True)]
    assert 10 ** max(latest) == pytest.approx(worst[0], rel=1e-3)
    first = of_job.rows("skew")[0]
    late = {rank: float(first[f"late_us_{rank}"] or -1) for rank in range(8)}
    assert max(late.values()) == pytest.approx(worst[0])
    assert first["straggler"] == f"rank {max(late, key=lambda rank: late[rank])}"


def test_stragglers_are_those_of_the_query(
    of_job: Report, job: list[Path], ask: Callable[..., list[dict[str, Any]]]
) -> None:
    """The table is the query's answer, and the bars are what each rank made the others wait."""
    rows = ask("stragglers", *job)
    for key in ("times_last", "uncertain", "collectives"):
        assert of_job.ints("stragglers", key) == [row[key] for row in rows]
    waits = [row["caused_wait_us"] for row in rows]
    assert of_job.floats("stragglers", "caused_wait_us") == waits
    (drawn,) = of_job.bars("stragglers").values()
    assert drawn == [round(wait * 1000) for wait in waits]


def test_bandwidth_is_that_of_the_query(
    of_job: Report, job: list[Path], ask: Callable[..., list[dict[str, Any]]]
) -> None:
    """A point is the median busbw of a size; those with missing ranks stand apart."""
    speeds: dict[tuple[int, str], list[float]] = defaultdict(list)
    for row in ask("allreduce", *job):
        ranks = "all" if row["ranks"] == row["ranks_expected"] else "some missing"
        speeds[row["bytes"], ranks].append(row["busbw"])
    table = {
        (int(row["bytes"] or 0), row["ranks_in_trace"]): float(row["median_busbw"] or 0)
        for row in of_job.rows("bandwidth")
    }
    assert table == {key: median(values) for key, values in speeds.items()}
    drawn = {
        (x, "some missing" if "missing" in it["name"] else "all"): y
        for it in of_job.drawn("bandwidth")
        for x, y in zip(it["x"], it["y"], strict=True)
    }
    assert drawn == table


def test_clocks_are_those_of_the_merge(
    of_job: Report, job: list[Path], capsysbinary: pytest.CaptureFixture[bytes], tmp_path: Path
) -> None:
    """Residuals and offsets are what `tp-tools merge --summary json` says."""
    ran = TpTools(capsysbinary)(
        "merge", *job, "-o", tmp_path / "all.json", "--summary", "json", "-q"
    )
    ranks = ran.rows()["ranks"]  # type: ignore[call-overload]
    for key in ("residual_ns", "residual_p95_ns", "offset_ns"):
        assert of_job.ints("clock-residuals", key) == [rank[key] for rank in ranks]
    bars = of_job.bars("clock-residuals")
    ends = [sum(parts) for parts in zip(*bars.values(), strict=True)]
    assert ends == [rank["residual_p95_ns"] for rank in ranks]


def test_steps_are_those_of_the_query(
    browser: Browser, tmp_path: Path, ask: Callable[..., list[dict[str, Any]]]
) -> None:
    """Each rank's line has the durations of its steps; without a GPU, GPU figures say so."""
    with shown(browser, made(tmp_path, GLOO)) as report:
        rows = ask("steps", GLOO)
        lines = {it["name"]: it["y"] for it in report.drawn("step-times")}
        for rank in range(4):
            durs = [row["dur"] / 1e6 for row in rows if row["rank"] == rank]
            assert lines[f"rank {rank}"] == pytest.approx(durs)
        # the matches by count are tested against time, so that arrivals can be told
        # and residuals measured, though base times set the clocks
        assert report.plots() == ["step-times", "skew"]
        assert report.names("stragglers") == report.column("stragglers", "label")
        assert set(report.column("clock-residuals", "aligned_by")) == {"base time of the trace"}
        assert "Where the GPU time went (nothing ran on a GPU)" in report.text("#left-out")
        assert report.troubles == []


def test_what_is_hidden_is_what_info_says(
    of_one: Report, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """Kernels that Perfetto would not show are counted, on top of the page too."""
    (it,) = TpTools(capsysbinary)("info", DECODE, "--format", "json").rows()
    hidden = it["defects"]["hidden"]
    assert of_one.ints("hidden-by-rank", "kernels") == [hidden["kernels"]]
    assert of_one.ints("hidden-by-rank", "kernel_ns") == [hidden["kernel_ns"]]
    (drawn,) = of_one.bars("hidden-by-rank").values()
    assert drawn == [hidden["kernel_ns"]]
    assert f"{hidden['kernels']} kernels" in of_one.text(".tile[href='#hidden']")


def test_findings_are_those_of_diagnose(
    of_one: Report, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """The first section has a figure per finding, and each leads to a section of the page."""
    made = json.loads(TpTools(capsysbinary)("diagnose", DECODE, "--format", "json").out)
    heads = of_one.page.locator("#diagnosis h3").all_inner_texts()
    assert [head.partition(". ")[2].partition(":")[0] for head in heads] == [
        finding["title"] for finding in made["findings"]
    ]
    assert of_one.text(".verdict").replace("\xa0", " ") == made["summary"]
    links = of_one.page.locator("#diagnosis .source a").all()
    assert len(links) == len(heads)
    for link in links:
        assert of_one.page.locator(f"section{link.get_attribute('href')}").count() == 1


def test_one_rank_says_what_it_cannot(of_one: Report) -> None:
    """Panels that need several ranks are left out, and one line says why."""
    left_out = of_one.text("#left-out")
    assert "Who came late (it takes traces of several ranks" in left_out
    assert "(one trace has one clock)" in left_out
    for key in ("skew", "stragglers", "clocks"):
        assert of_one.page.locator(f"#{key}").count() == 0
    for link in of_one.page.locator("a[href^='#']").all():
        assert of_one.page.locator(link.get_attribute("href") or "").count() == 1


def test_every_figure_names_its_source(of_job: Report) -> None:
    """Each says which SQL file or command its numbers are from."""
    for figure in of_job.page.locator("figure").all():
        source = figure.locator(".source").inner_text()
        assert ".sql" in source or "tp-tools" in source


def test_sql_can_be_copied(of_job: Report, ask: Callable[..., list[dict[str, Any]]]) -> None:
    """The button gives what `tp-tools sql` prints, which answers the same when it is pasted."""
    shown_page = of_job.page
    shown_page.evaluate("navigator.clipboard.writeText = async text => { window.copied = text; }")
    shown_page.locator("#gpu-time button[data-sql=gpu_time]").click()
    copied: str = shown_page.evaluate("window.copied")
    assert copied == library.expand(library.read(library.find("gpu_time")))
    assert ask("gpu_time", DECODE)


def test_commands_name_the_traces(of_job: Report, job: list[Path]) -> None:
    """What is copied lists each trace; what is shown has a pattern that matches them all."""
    shown_page = of_job.page
    shown_page.evaluate("navigator.clipboard.writeText = async text => { window.copied = text; }")
    shown_page.locator("#gpu-time button[data-command]").click()
    names = " ".join(file.name for file in job)
    assert shown_page.evaluate("window.copied") == f"tp-tools query gpu_time {names}"
    assert "tp-tools query gpu_time rank*.json.gz" in of_job.text("#gpu-time .source")


def test_tables_are_sorted_by_their_exact_values(of_job: Report) -> None:
    """A click sorts, the next turns it round, the third restores; unknown values come last."""
    table = of_job.page.locator("#stragglers")
    before = of_job.column("stragglers", "wait_us")
    button = table.get_by_role("button", name="it waited for others")
    button.click()
    known = [it for it in of_job.floats("stragglers", "wait_us") if it is not None]
    assert known == sorted(known, reverse=True)
    assert table.locator("th[aria-sort=descending]").count() == 1
    button.click()
    assert of_job.floats("stragglers", "wait_us")[: len(known)] == sorted(known)
    button.click()
    assert of_job.column("stragglers", "wait_us") == before
    button = table.get_by_role("button", name="cause", exact=True)
    button.click()
    causes = of_job.column("stragglers", "cause")
    said = [it for it in causes if it is not None]
    assert causes == sorted(said) + [None] * (len(causes) - len(said))
    button.click(click_count=2)  # as it was
    assert of_job.column("stragglers", "wait_us") == before
    assert of_job.troubles == []


def test_tables_can_be_filtered(of_job: Report) -> None:
    """Rows that hold the text stay, full names of kernels included; how many is said."""
    of_job.page.locator("#top-kernels summary").click()
    rows = of_job.page.locator("#top-kernels tr[data-row]:visible")
    count, name = rows.count(), of_job.column("top-kernels", "name")[0] or ""
    words = of_job.page.get_by_label("Filter").and_(of_job.page.locator("#top-kernels input"))
    words.fill(name)
    assert 1 <= rows.count() < count
    assert of_job.text("#top-kernels output") == f"{rows.count()} of {count} rows"
    kind = of_job.column("top-kernels", "kind")[0]
    words.fill(f"{kind}, {name}".upper())
    assert 1 <= rows.count() < count
    words.fill("no kernel has this name")
    assert rows.count() == 0
    words.fill("")
    assert rows.count() == count
    of_job.page.locator("#top-kernels summary").click()  # as it was


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1600, 1280, 400])
def test_nothing_overflows_or_complains(
    browser: Browser, page: Path, scheme: ColorScheme, width: int
) -> None:
    """No console message, request or sideways scrolling; nothing that axe-core finds.

    That is contrast, names, order of headings, what a keyboard reaches: with all tables open, of
    whose rows that are built alike it sees the first two. Light and dark, wide and narrow.
    """
    with shown(browser, page, width, scheme) as report:
        assert report.width() <= width
        report.page.evaluate(
            "for (const it of document.querySelectorAll('details')) it.open = true"
        )
        assert report.width() <= width
        assert report.troubles == []
        assert axe.faults(report.page) == []


def test_what_is_told_by_a_table_alone_is_in_sight(of_job: Report) -> None:
    """No figure consists of a heading and a fold; long tables scroll, and show ten rows."""
    for figure in of_job.page.locator("figure:has(details)").all():
        assert figure.locator(".bars, .plot").count() == 1
    table = of_job.page.locator("#streams .scroll").bounding_box()
    assert table is not None
    assert table["height"] <= 440


def test_plots_follow_the_colour_scheme(of_job: Report) -> None:
    """A browser that turns dark at night redraws the plots in the dark palette."""
    before = of_job.drawn("bandwidth")[0]["color"]
    bars = of_job.bar_colors("gpu-time")
    of_job.turn("dark")
    assert of_job.drawn("bandwidth")[0]["color"].startswith("#")
    assert of_job.bar_colors("gpu-time") != bars
    of_job.turn("light")
    assert of_job.drawn("bandwidth")[0]["color"] == before
    assert of_job.bar_colors("gpu-time") == bars
    assert of_job.troubles == []


def test_print_shows_everything_in_light(of_job: Report) -> None:
    """On paper tables are open, 30 rows of each; plots fit the sheet, and colours are light."""
    of_job.turn("dark")
    dark = of_job.drawn("bandwidth")[0]["color"]
    of_job.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert of_job.page.locator("details:not([open])").count() == 0
    assert of_job.drawn("bandwidth")[0]["color"] != dark
    plot = of_job.page.locator("#plot-bandwidth .main-svg").first.bounding_box()
    assert plot is not None
    assert plot["width"] <= 186 / 25.4 * 96  # A4 between the margins
    of_job.page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert of_job.drawn("bandwidth")[0]["color"] == dark
    assert of_job.page.locator("details[open]").count() == 0
    of_job.page.emulate_media(media="print")
    of_job.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    long = of_job.page.locator("#longest-gaps tbody tr")
    assert long.count() > PRINTED_ROWS
    assert long.filter(visible=True).count() == PRINTED_ROWS
    assert of_job.page.locator("#longest-gaps .printed").is_visible()
    places = of_job.page.locator("#longest-gaps td[data-column=view]").filter(visible=True)
    assert all(text.startswith("--at") for text in places.all_inner_texts())
    assert of_job.page.pdf(format="A4").startswith(b"%PDF")
    assert of_job.troubles == []
    of_job.page.evaluate("dispatchEvent(new Event('afterprint'))")
    of_job.page.emulate_media(media="screen")
    of_job.turn("light")  # as it was


def test_names_are_text(browser: Browser, tmp_path: Path) -> None:
    """Names that look like markup run nothing, and are read as they are, in tables and plots."""
    events = [kernel(name, 10 * i, 3 + i) for i, name in enumerate(NAMES)]
    trace = write_trace(tmp_path / "rank0.json", *events, rank=0)
    with shown(browser, made(tmp_path, trace)) as report:
        assert set(report.column("top-kernels", "name")) == set(NAMES)
        assert set(report.names("top-kernels")) == {
            " ".join(name.split()) for name in short_names(NAMES).values()
        }
        assert report.page.locator("main img").count() == 0
        assert report.troubles == []


def test_the_page_can_load_nothing(of_one: Report) -> None:
    """Its own policy forbids every request and every script that is not its own."""
    refused = of_one.page.evaluate(
        "fetch('data:text/plain,hello').then(() => 'loaded', () => 'refused')"
    )
    assert refused == "refused"
    of_one.page.evaluate(
        "document.body.append(Object.assign(document.createElement('script'),"
        " {textContent: 'window.ran = true'}))"
    )
    assert of_one.page.evaluate("window.ran === undefined")
