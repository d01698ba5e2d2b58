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


def test_a_number_stays_with_its_unit() -> None:
    """Pages break no line between them."""
    template = templates.environment().from_string("{{ text | unbroken }}")
    said = template.render(text="19.7 ms, 2.4 % of 3 steps: 4.0 GB/s; 7 s, 8 kernels")
    assert said.replace("\xa0", "_") == "19.7_ms, 2.4_% of 3 steps: 4.0_GB/s; 7_s, 8 kernels"


def test_every_template_compiles() -> None:
    """Each file of the folder that is a template."""
    names = templates.environment().list_templates(extensions=["html"])
    assert "page.html" in names
    for name in names:
        templates.environment().get_template(name)
