"""The tests mirror the tree: whoever changes a module finds the tests that speak of it."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "tp_tools"
TESTS = ROOT / "tests"
MODULES = sorted(PACKAGE.rglob("*.py"))


def dotted(path: Path) -> str:
    """The name by which a file of the package is imported."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def parsed(path: Path) -> ast.Module:
    """The program in a file, which several tests look at."""
    return ast.parse(path.read_text("utf-8"))


def imports(path: Path) -> Iterator[str]:
    """The dotted names that a file imports; a name from a module may be a module itself."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from (it.name for it in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{it.name}" for it in node.names)


@cache
def imported() -> frozenset[str]:
    """The dotted names that tests import."""
    return frozenset(name for path in TESTS.rglob("test_*.py") for name in imports(path))


def mirrored(path: Path) -> Path:
    """Where the tests of a module lie, if it has a file of its own."""
    folder = TESTS / path.relative_to(PACKAGE).parent
    return folder / f"test_{path.stem.strip('_')}.py"


TESTED_IN = {
    "tp_tools.__main__": "cli/test_process.py",
    "tp_tools.alignment.connected": "alignment/test_match.py",
    "tp_tools.alignment.match_by_time": "alignment/test_match.py",
    "tp_tools.alignment.same_host": "alignment/test_clock.py",
    "tp_tools.chrome.batch_columns": "chrome/test_reader.py",
    "tp_tools.chrome.batch_times": "chrome/test_reader.py",
    "tp_tools.chrome.envelope": "chrome/test_batches.py",
    "tp_tools.chrome.event_text": "chrome/test_salvage.py",
    "tp_tools.chrome.file_damage": "cli/test_folders.py",
    "tp_tools.chrome.grammar": "chrome/test_salvage.py",
    "tp_tools.chrome.members": "chrome/test_salvage.py",
    "tp_tools.chrome.sanitize_tokens": "chrome/test_sanitize.py",
    "tp_tools.chrome.trace_builder": "chrome/test_reader.py",
    "tp_tools.cli.fix_one": "cli/test_fix.py",
    "tp_tools.files.remote_errors": "files/test_remote.py",
    "tp_tools.merging.time_cuts": "querying/test_windows.py",
    "tp_tools.querying.answering": "querying/test_windows.py",
    "tp_tools.cli.merge_summary": "cli/test_merge.py",
    "tp_tools.cli.options": "cli/test_first_errors.py",
    "tp_tools.cli.progress_bars": "cli/test_progress.py",
    "tp_tools.caller": "querying/test_api.py",
    "tp_tools.cli.view_inputs": "cli/test_view.py",
    "tp_tools.viewer.one_file": "viewer/test_api.py",
    "tp_tools.inspection.api": "test_api.py",
    "tp_tools.merging.api": "test_api.py",
    "tp_tools.merging.job_output": "test_api.py",
    "tp_tools.repair.api": "test_api.py",
    "tp_tools.repair.kept_flows": "cli/test_fuzzed.py",
    "tp_tools.reporting.api": "test_api.py",
    "tp_tools.cli.stage": "cli/test_progress.py",
    "tp_tools.merging.earlier_output": "merging/test_job_files.py",
    "tp_tools.cli.cluster": "merging/test_failed_ranks.py",
    "tp_tools.cluster.task": "cluster/test_pool.py",
    "tp_tools.cli.stages": "cli/test_progress.py",
    "tp_tools.cli.query_output": "cli/test_query.py",
    "tp_tools.comparison.doubts": "comparison/test_comparing.py",
    "tp_tools.comparison.grouping": "comparison/test_comparing.py",
    "tp_tools.comparison.judged_traces": "comparison/test_api.py",
    "tp_tools.comparison.judging": "comparison/test_comparing.py",
    "tp_tools.comparison.matching": "comparison/test_comparing.py",
    "tp_tools.crosscheck.losses": "crosscheck/test_checking.py",
    "tp_tools.crosscheck.matching": "crosscheck/test_checking.py",
    "tp_tools.diagnosis.collection": "diagnosis/test_api.py",
    "tp_tools.diagnosis.evidence": "diagnosis/test_gpu_findings.py",
    "tp_tools.engine._perfetto": "engine/test_processor.py",
    "tp_tools.engine.names": "cli/test_first_errors.py",
    "tp_tools.engine.rpc": "engine/test_processor.py",
    "tp_tools.engine.stopping": "processes/test_signals.py",
    "tp_tools.engine.unread": "cli/test_first_errors.py",
    "tp_tools.files.missing": "cli/test_first_errors.py",
    "tp_tools.files.read_ahead": "merging/test_preparation.py",
    "tp_tools.formatting": "cli/test_fix.py",
    "tp_tools.files.exports": "nsys/test_export.py",
    "tp_tools.files.spool": "files/test_source.py",
    "tp_tools.nsys.beginnings": "merging/test_exported_ranks.py",
    "tp_tools.nsys.database": "nsys/test_export.py",
    "tp_tools.nsys.devices": "nsys/test_export.py",
    "tp_tools.nsys.facts": "nsys/test_export.py",
    "tp_tools.nsys.gpu": "nsys/test_export.py",
    "tp_tools.nsys.host": "nsys/test_export.py",
    "tp_tools.nsys.launches": "nsys/test_export.py",
    "tp_tools.nsys.layout": "nsys/test_export.py",
    "tp_tools.nsys.naming": "nsys/test_export.py",
    "tp_tools.nsys.notes": "nsys/test_export.py",
    "tp_tools.nsys.nvtx": "nsys/test_export.py",
    "tp_tools.nsys.recording": "nsys/test_export.py",
    "tp_tools.nsys.tables": "nsys/test_export.py",
    "tp_tools.nsys.values": "nsys/test_export.py",
    "tp_tools.nsys.waits": "nsys/test_export.py",
    "tp_tools.inspection.contents": "cli/test_info.py",
    "tp_tools.merging.archive_index": "merging/test_archive_folder.py",
    "tp_tools.merging.collective_args": "merging/test_find_collectives.py",
    "tp_tools.merging.json_events": "merging/test_preparation.py",
    "tp_tools.merging.json_fragment": "merging/test_preparation.py",
    "tp_tools.merging.matched": "merging/test_preparation.py",
    "tp_tools.writing.pftrace.merged": "merging/test_preparation.py",
    "tp_tools.merging.pftrace_fragment": "cli/test_merge.py",
    "tp_tools.merging.place_rank": "merging/test_preparation.py",
    "tp_tools.merging.placement": "merging/test_preparation.py",
    "tp_tools.merging.profiles": "merging/test_job_files.py",
    "tp_tools.merging.rank_tracks": "merging/test_preparation.py",
    "tp_tools.merging.selection": "merging/test_preparation.py",
    "tp_tools.merging.write_member": "merging/test_archive.py",
    "tp_tools.merging.write_rank": "merging/test_preparation.py",
    "tp_tools.repair.flow_bindings": "repair/test_launch_flows.py",
    "tp_tools.repair.placed": "repair/test_overlaps.py",
    "tp_tools.repair.protobuf": "cli/test_first_errors.py",
    "tp_tools.repair.tolerance": "cli/test_fix.py",
    "tp_tools.reporting.build": "cli/test_report.py",
    "tp_tools.reporting.labels": "cli/test_report.py",
    "tp_tools.repair.invented_flows": "repair/test_launch_flows.py",
    "tp_tools.trace.categories": "repair/test_planner.py",
    "tp_tools.trace.flow_slices": "repair/test_launch_flows.py",
    "tp_tools.rocpd.devices": "rocpd/test_export.py",
    "tp_tools.rocpd.layout": "rocpd/test_export.py",
    "tp_tools.xplane.header": "xplane/test_export.py",
    "tp_tools.xplane.schema": "xplane/test_export.py",
    "tp_tools.xplane.stats": "xplane/test_export.py",
    "tp_tools.writing.json.edits": "repair/test_planner.py",
    "tp_tools.writing.pftrace.arrangement": "writing/test_unended.py",
    "tp_tools.writing.pftrace.batches": "writing/test_pftrace.py",
    "tp_tools.writing.pftrace.descriptors": "writing/test_pftrace.py",
    "tp_tools.writing.pftrace.encoding": "writing/test_pftrace.py",
    "tp_tools.writing.pftrace.event_args": "writing/test_pftrace.py",
    "tp_tools.writing.pftrace.flow_fields": "writing/test_pftrace.py",
    "tp_tools.writing.pftrace.header": "writing/test_pftrace.py",
    "tp_tools.writing.pftrace.notes": "writing/test_pftrace.py",
    "tp_tools.writing.pftrace.other_events": "writing/test_pftrace.py",
    "tp_tools.writing.pftrace.own_flows": "writing/test_pftrace.py",
    "tp_tools.writing.pftrace.packets": "writing/test_pftrace.py",
    "tp_tools.writing.pftrace.planned_times": "writing/test_pftrace.py",
    "tp_tools.writing.pftrace.slice_stack": "writing/test_pftrace.py",
    "tp_tools.writing.pftrace.unended": "writing/test_unended.py",
}
"""Where a module is tested that no test imports: through those that use it."""


def test_every_module_has_its_tests() -> None:
    """A module has its test file at the mirrored place, a test imports it, or it stands above."""
    named = {*imported(), *TESTED_IN}
    others = [it for it in MODULES if dotted(it) not in named and not mirrored(it).is_file()]
    # that of a package may hold a docstring, and exports, which test_exports.py imports
    assert [
        dotted(path)
        for path in others
        if path.name != "__init__.py" or "def " in path.read_text("utf-8")
    ] == []


def test_no_line_above_is_out_of_date() -> None:
    """It speaks of a module that there is, which no test imports, and of tests that there are."""
    named = set(TESTED_IN)
    assert named - {*map(dotted, MODULES)} == set()
    assert named & imported() == set()
    assert [it for it in TESTED_IN.values() if not (TESTS / it).is_file()] == []


FOLDERS = sorted(it for it in TESTS.rglob("*") if it.is_dir() and list(it.glob("test_*.py")))
SUBJECTS = {"browser": "the real UI", "sql": "the library in sql/"}
"""Folders of tests whose subject is no package of `tp_tools`."""


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda it: it.name)
def test_folders_are_those_of_the_package(folder: Path) -> None:
    """A folder of tests is named for the package that it tests, and lies where that lies."""
    inner = folder.relative_to(TESTS)
    assert str(inner) in SUBJECTS or (PACKAGE / inner / "__init__.py").is_file()


def test_helpers_live_in_one_folder() -> None:
    """Code that several tests import lies in tests/support."""
    beside = {
        name
        for name in imported()
        if name.startswith("tests.") and not f"{name}.".startswith("tests.support.")
    }
    assert beside == set()


_SPOKEN = ("tp_tools", "tools", "benchmarks")
SPOKEN = sorted(path for folder in _SPOKEN for path in (ROOT / folder).rglob("*.py"))
"""Files whose docstrings begin with a verb."""

_NO_VERB = re.compile(
    "an?|all|as|both|each|every|how|if|in|none|of|one|the|those|wh(?:at|ere|ether|y)|.*[^s]s"
)
"""A word that begins no order: an article or the like, or a third person such as "returns"."""


def is_imperative(docstring: str) -> bool:
    """Tell whether a docstring may begin with an imperative: "Return ...", not "Returns ..."."""
    word = docstring.split(maxsplit=1)[0].strip("`.,:;").lower()
    return not _NO_VERB.fullmatch(word)


def not_imperative(path: Path) -> Iterator[str]:
    """Find the docstrings of a file that begin with no verb: their first lines."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Module | ast.FunctionDef):
            decorators = {ast.unparse(it) for it in getattr(node, "decorator_list", ())}
            docstring = ast.get_docstring(node)
            is_property = bool(decorators & {"property", "cached_property"})
            if docstring and not is_property and not is_imperative(docstring):
                yield f"{path.relative_to(ROOT)}: {docstring.partition(chr(10))[0]}"


def test_docstrings_begin_with_a_verb() -> None:
    """Docstrings of modules and functions name what to do; those of properties name the value."""
    found = [line for path in SPOKEN for line in not_imperative(path)]
    assert found == [], "begin with a verb: CONTRIBUTING.md, Words"


@pytest.mark.parametrize(
    ("docstring", "expected"),
    [
        ("Return the path.", True),
        ("Returns the path.", False),
        ("Pass a text on.", True),
        ("The path.", False),
        ("Whether the path exists.", False),
    ],
)
def test_verbs_are_told_from_other_words(docstring: str, *, expected: bool) -> None:
    """Articles and third persons are no imperatives."""
    assert is_imperative(docstring) is expected


MOST_LINES = 300
"""Of a module of the package, of a tool, a benchmark or a maker of fixtures."""

MOST_LINES_OF_FUNCTION = 50
"""Its docstring included, its decorators not."""


def too_long(path: Path) -> Iterator[tuple[str, int]]:
    """Find what is too long in a file, or the file itself: name, lines."""
    lines = len(path.read_text("utf-8").splitlines())
    if lines > MOST_LINES:
        yield str(path.relative_to(ROOT)), lines
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.FunctionDef):
            lines = _lines(node) - _lines(node.body[0]) * (ast.get_docstring(node) is not None)
            if lines > MOST_LINES_OF_FUNCTION:
                yield f"{path.relative_to(ROOT)}: {node.name}", lines


def test_modules_and_functions_are_short() -> None:
    """A module fits into a head, and a function without its docstring onto a screen."""
    files = [*SPOKEN, *(ROOT / "fixtures").rglob("*.py")]
    assert [found for path in files for found in too_long(path)] == []


def _lines(node: ast.stmt) -> int:
    assert node.end_lineno is not None
    return node.end_lineno - node.lineno + 1


_SETTERS = {"setattr", "setitem", "object"}
"""Of `monkeypatch` and `mock.patch`."""

_OWN = re.compile(r"_?[A-Z][A-Z0-9_]*|_[a-z]\w*")
"""A constant, or a private name."""

_ASSIGNED = re.compile(rf"^\s*(?!self\.)\w+(?:\.\w+)*\.({_OWN.pattern})\s*=(?!=)", re.MULTILINE)
"""An assignment to one, in a program that a test runs."""

SIMULATES = "# simulates "
"""Begins the comment of a line that sets one to stand for a fault of the outside world."""


def set_names(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Find the constants and private names of other objects that a test sets: line, name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute | ast.Name):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
            if called in _SETTERS:
                for given in node.args[:2]:
                    name = ast.unparse(given).strip("'\"").rpartition(".")[2]
                    if _OWN.fullmatch(name):
                        yield node.lineno, name
        elif isinstance(node, ast.Assign | ast.AugAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                owner = ast.unparse(target.value) if isinstance(target, ast.Attribute) else "self"
                if (
                    isinstance(target, ast.Attribute)
                    and owner != "self"
                    and _OWN.fullmatch(target.attr)
                ):
                    yield node.lineno, target.attr
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from ((node.lineno, name) for name in _ASSIGNED.findall(node.value))


def test_tests_set_no_constant() -> None:
    """Tests pass sizes and limits as parameters; a fault that a test simulates is called one."""
    found = []
    for path in sorted({*TESTS.rglob("*.py")} - {Path(__file__)}):
        lines = path.read_text("utf-8").splitlines()
        found += [
            f"{path.relative_to(TESTS)}:{line}: {name}"
            for line, name in set_names(parsed(path))
            if SIMULATES not in lines[line - 1] + lines[line - 2]
        ]
    assert found == []


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ('monkeypatch.setattr(source, "BLOCK", 7)', ["BLOCK"]),
        ('patch.setattr("tp_tools.trace.flows._NEAR", near)', ["_NEAR"]),
        ("monkeypatch.setitem(LIMITS, 32, 7)", ["LIMITS"]),
        ("setattr(pool, '_fork', copy)", ["_fork"]),
        ("mock.patch.object(pool, 'LARGE', 7)", ["LARGE"]),
        ("stages.PATIENCE_S = 0", ["PATIENCE_S"]),
        ("program = 'import x\\nx.y._PIPE = 7'", ["_PIPE"]),
        ("monkeypatch.setattr(library, 'read', read)", []),
        ("monkeypatch.setattr('tempfile.tempdir', folder)", []),
        ("self._lines = BLOCK", []),
        ("assert source.BLOCK == 7", []),
    ],
)
def test_a_constant_that_is_set_is_found(line: str, found: list[str]) -> None:
    """A constant or private name is found however a test sets it; to read one is no matter."""
    assert [name for _, name in set_names(ast.parse(line))] == found


FORMER = {"asked", "asking", "examine", "examined", "judge"}
"""Words that names had before those of CONTRIBUTING: a thing is called what it is."""

JUDGES = ("comparison", "diagnosis")
"""Packages in which to judge is what a function does, as in the files that name them."""

NAMING = sorted(
    path
    for folder in ("tp_tools", "tests", "tools", "benchmarks", "docs", "fixtures")
    for path in (ROOT / folder).rglob("*.py")
)
"""Files whose names are looked at."""


def names_in(tree: ast.AST) -> set[str]:
    """Collect the names of a program: of variables, attributes, arguments, functions, classes."""
    fields = ("id", "attr", "arg", "name")
    found = (getattr(node, field, None) for node in ast.walk(tree) for field in fields)
    return {name.strip("_").lower() for name in found if isinstance(name, str)}


def test_former_words_do_not_come_back() -> None:
    """No name is one of the participles and metaphors that the words of the house replaced."""
    found = []
    for path in NAMING:
        text = path.read_text("utf-8")
        allowed = {"judge"} if any(name in text for name in JUDGES) else set()
        words = (names_in(parsed(path)) | {path.stem}) & FORMER - allowed
        found += [f"{path.relative_to(ROOT)}: {word}" for word in words]
    assert found == []


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("asked = 1", {"asked"}),
        ("class Asked: pass", {"asked"}),
        ("def _judge(examined): pass", {"judge", "examined"}),
        ("print(it.asked, 'what is asked for')", {"print", "it", "asked"}),
    ],
)
def test_names_are_told_from_text(line: str, found: set[str]) -> None:
    """Names count wherever they stand, and words in texts do not."""
    assert names_in(ast.parse(line)) == found


def test_helpers_that_tests_import_are_there() -> None:
    """Whatever tests import of `tests` is there, also where another change moved it."""
    modules = {dotted(path) for path in TESTS.rglob("*.py")}
    imported = {name for path in TESTS.rglob("*.py") for name in imports(path)}
    lost = {
        name
        for name in imported
        if name.startswith("tests.") and not modules & {name, name.rpartition(".")[0]}
    }
    assert lost - {"tests.support"} == set()
