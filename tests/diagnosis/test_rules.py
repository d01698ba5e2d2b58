"""The rules are data, and the page about them lists each."""

from __future__ import annotations

from tools import rules_table
from tp_tools.diagnosis.rules import ALL


def test_every_rule_says_where_its_threshold_comes_from() -> None:
    """Kinds are different, thresholds are shares, sources are given."""
    kinds = [rule.kind for rule in ALL]
    assert len(set(kinds)) == len(kinds)
    for rule in ALL:
        assert 0 < rule.min_percent < 100
        assert rule.source
        assert rule.counts


def test_the_page_lists_the_rules() -> None:
    """docs/diagnose.md is up to date: `python -m tools.rules_table` writes its table."""
    page = rules_table.TARGET.read_text("utf-8")
    assert rules_table.with_table(page) == page
    assert all(f"| {rule.kind} |" in page for rule in ALL)
