"""The pages of `docs/`: the site builds, its links lead somewhere, and what it shows was run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urldefrag

import pytest

import tp_tools
from tools import commands, docs_site, examples, house

if TYPE_CHECKING:
    from collections.abc import Iterator

    from _pytest.mark import ParameterSet
    from perfetto.trace_processor import TraceProcessor

ROOT = Path(__file__).resolve().parents[1]
FIXTURE = ROOT / "fixtures" / "pdl_decode.json.gz"
PAGES = sorted((ROOT / "docs").glob("*.md"))
READABLE = [ROOT / "README.md", *PAGES]
SQL = re.compile(r"^```sql[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PYTHON = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
LARGE = 10_000
"""A whole number from here on is a time, no count."""

TAG = re.compile(r"</script>|<[a-z][^<>]*\b(?:src|href|id)=[^<>]*>")
"""Matches the tags that `Links` reads; most others only colour words of SQL."""

OWN = {("script", "src"), ("img", "src"), ("link", "href"), ("iframe", "src"), ("source", "src")}
"""Where a page names what a browser fetches by itself."""


class Links(HTMLParser):
    """Links of a page of the site, files that it loads, and anchors that it has."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.leads: set[str] = set()
        self.loads: set[str] = set()
        self.anchors: set[str] = set()
        self.feed("".join(TAG.findall(page.read_text("utf-8"))))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keeps the links of a tag, and its id."""
        for name, value in attrs:
            if (tag, name) in OWN and value:
                self.loads.add(value)
            elif (tag, name) == ("a", "href") and value:
                self.leads.add(value)
            elif name == "id" and value:
                self.anchors.add(value)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, Links]:
    """The pages of the built site."""
    folder = tmp_path_factory.mktemp("site")
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "-q", "-d", str(folder)]
    quiet = {"NO_MKDOCS_2_WARNING": "1", "PYTHONWARNINGS": "default"}
    done = subprocess.run(
        build, cwd=ROOT, env=os.environ | quiet, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return {page.resolve(): Links(page) for page in folder.rglob("*.html")}


def test_every_page_is_there(site: dict[Path, Links]) -> None:
    """Each page of `docs/` and each query of the library is a page of the site; no script is."""
    names = {page.stem for page in site}
    assert {page.stem for page in PAGES} <= names
    assert {query.stem for query in (ROOT / "sql").glob("*.sql")} <= names
    assert not list(next(iter(site)).parent.rglob("*.py"))


def test_links_lead_somewhere(site: dict[Path, Links]) -> None:
    """Whatever a page links to or loads from the site is there, with the place that is meant."""
    lost = [
        f"{page.name}: {link}"
        for page, links in site.items()
        if page.name != "404.html"  # its links are absolute, since it may be shown anywhere
        for link in links.leads | links.loads
        if not re.match(r"[a-z]+:", link) and not _is_there(site, page, link)
    ]
    assert not lost


def _is_there(site: dict[Path, Links], page: Path, link: str) -> bool:
    path, anchor = urldefrag(unquote(link))
    target = (page.parent / path).resolve() if path else page
    target = target / "index.html" if target.is_dir() else target
    if anchor and target in site:
        return anchor in site[target].anchors or anchor.startswith("__")
    return target.is_file()


def test_nothing_is_fetched_from_elsewhere(site: dict[Path, Links]) -> None:
    """Scripts, styles, pictures and fonts come with the site: it can be read without a network."""
    outside = {
        f"{page.name}: {link}"
        for page, links in site.items()
        for link in links.loads
        if re.match(r"([a-z]+:)?//", link)
    }
    assert not outside


@pytest.mark.parametrize("page", READABLE, ids=lambda page: page.name)
def test_links_lead_somewhere_in_the_sources(page: Path) -> None:
    """Where the sources are browsed, relative links lead to a file as well."""
    links = [urldefrag(link)[0] for link in LINK.findall(page.read_text("utf-8"))]
    inner = [link for link in links if link and not re.match(r"[a-z]+:", link)]
    pages_of_site = {"changelog.md"}  # made for the site alone
    assert not [it for it in inner if it not in pages_of_site and not (page.parent / it).exists()]


def test_links_to_queries_become_pages() -> None:
    """A link to a file of SQL leads to its page in the site, and others stay."""
    assert docs_site.target("../sql/gaps.sql") == "sql/gaps.md"
    assert docs_site.target("../sql/tpt/collective/kind.sql") == "sql/tpt/collective/kind.md"
    assert docs_site.target("../tp_tools/view.js") == "../tp_tools/view.js"


def test_numbers_stay_beside_their_units() -> None:
    """A cell with a number and a unit is not broken between the two; other text is left alone."""
    row = "| fix | 849.1 kB | **5.5 s** | 12 s | in 12 s |"
    shown = "| fix | 849.1_kB | **5.5_s** | 12_s | in 12 s |"
    assert docs_site.on_page_markdown(row) == shown.replace("_", "\N{NO-BREAK SPACE}")


def test_the_reference_is_what_the_commands_say() -> None:
    """docs/commands.md is up to date: `python -m tools.commands` writes it."""
    assert commands.TARGET.read_text("utf-8") == commands.page()


def test_the_house_is_that_of_the_import_contract() -> None:
    """CONTRIBUTING and the picture are up to date: `python -m tools.house` writes them."""
    page = house.PAGE.read_text("utf-8")
    assert page == house.with_table(page)
    assert house.PICTURE.read_text("utf-8") == house.picture()


def test_the_house_lists_every_package_once() -> None:
    """Every package and module at the top of tp_tools stands in one layer."""
    tops = (it for it in (ROOT / "tp_tools").iterdir() if it.stem != "__init__")
    found = [it.stem for it in tops if it.suffix == ".py" or (it / "__init__.py").is_file()]
    assert sorted(name for names in house.layers() for name in names) == sorted(found)


def _sql() -> Iterator[ParameterSet]:
    for page in READABLE:
        for number, sql in enumerate(SQL.findall(page.read_text("utf-8")), 1):
            if re.search(r"^(SELECT|WITH|CREATE)\b", sql, re.MULTILINE):
                yield pytest.param(sql, id=f"{page.stem}-{number}")


@pytest.fixture(scope="module")
def query_tab() -> Iterator[TraceProcessor]:
    """A TraceProcessor with a trace, into which one block is pasted after the other."""
    with tp_tools.open_trace(FIXTURE) as tp:
        yield tp


@pytest.mark.parametrize("sql", list(_sql()))
def test_sql_on_pages_runs(sql: str, query_tab: TraceProcessor) -> None:
    """Each block of SQL that a reader may paste runs as it stands."""
    query_tab.query(sql)


def _alike(now: str, shown: str) -> bool:
    """Whether words are equal, or numbers as nearly so as clocks are fitted on any machine."""
    if "=" in now and now.partition("=")[0] == shown.partition("=")[0]:  # waiting_ns=11133914,
        now, shown = now.partition("=")[2], shown.partition("=")[2]
    try:
        one, other = (float(word.replace(",", "")) for word in (now, shown))
    except ValueError:
        return now == shown
    is_measured = "." in shown or other >= LARGE
    return now == shown or (is_measured and one == pytest.approx(other, rel=1e-3, abs=0.01))


def _with_examples() -> Iterator[ParameterSet]:
    for page in examples.pages():
        reads_recorded = "_rank0.json.gz" in page.read_text("utf-8")
        yield pytest.param(page, id=page.name, marks=[pytest.mark.recorded] * reads_recorded)


@pytest.mark.parametrize("page", list(_with_examples()))
def test_examples_print_what_pages_show(page: Path) -> None:
    """Commands on pages print what stands below them: `python -m tools.examples` writes it."""
    with examples.workplace() as folder:
        now, missing = examples.written(page, folder)
    shown = page.read_text("utf-8")
    assert [len(line.split()) for line in now.split("\n")] == [
        len(line.split()) for line in shown.split("\n")
    ]
    unlike = [it for it in zip(now.split(), shown.split(), strict=True) if not _alike(*it)]
    assert not unlike
    if missing:
        pytest.skip(f"all but examples about recorded traces that are not there: {missing}")


@pytest.mark.parametrize("program", PYTHON.findall((ROOT / "docs/cookbook.md").read_text("utf-8")))
def test_programs_of_the_cookbook_run(program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each block of Python in the cookbook runs where the fixtures are."""
    monkeypatch.chdir(ROOT)
    exec(program, {})  # noqa: S102  the project's own page
