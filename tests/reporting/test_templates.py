"""Templates escape whatever is put into them, and miss nothing."""

from __future__ import annotations

import pytest

from tp_tools.reporting import templates

HOSTILE = """<script>alert(1)</script> " ' & {{ 7 * 7 }} {% raw %}"""


def test_what_is_put_in_stays_text() -> None:
    """Markup, quotes and the template's own language are shown as they are."""
    jinja2 = pytest.importorskip("jinja2")
    template = templates.environment().from_string('<b title="{{ name }}">{{ name }}</b>')
    text = template.render(name=HOSTILE)
    assert "<script" not in text
    assert text.count('"') == 2
    assert "{{ 7 * 7 }}" in text
    with pytest.raises(jinja2.UndefinedError):
        template.render()


def test_every_template_compiles() -> None:
    """Each file of the folder that is a template."""
    names = templates.environment().list_templates(extensions=["html"])
    assert "page.html" in names
    for name in names:
        templates.environment().get_template(name)
