"""Add pages from outside `docs/` to the site, as hooks of mkdocs: `sql/*.sql` and the changelog.

Pages link to `../sql/gaps.sql`, as works where the sources are browsed; in the site each such file
is a page of its own.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from mkdocs.structure.files import File

from tp_tools import library

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

ROOT = Path(__file__).resolve().parents[1]
ELSEWHERE = {
    "../README.md": "index.md",
    "../CHANGELOG.md": "changelog.md",
    "../sql": "sql.md",
    "../sql/tpt": "sql.md#a-query-of-your-own",
}
"""Page that replaces a link to a file or folder outside of `docs/`."""

_LINK = re.compile(r"(?<=\]\()\.\./[^)\s]+(?=\))")
_QUERY = re.compile(r"\.\./(sql/(?:\w+/)*\w+)\.sql")

_QUANTITY = re.compile(r"(?<=\| )((?:\*\*)?[\d.,]+) ((?:ns|us|ms|s|h|kB|MB|GB|%)(?:\*\*)?)(?= \|)")
"""A cell of a table that holds a number and its unit."""

_PAGE = """---
search:
  exclude: true
hide:
  - toc
---
# {name}.sql

`tp-tools sql {name}` prints this text. It runs as it is in the Query tab of the Perfetto UI
(v52 and later).

```sql
{text}
```
"""
_MODULE = """---
search:
  exclude: true
hide:
  - toc
---
# {name}

`INCLUDE PERFETTO MODULE {name};` makes this available to SQL that tp-tools runs.

```sql
{text}
```
"""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add a page for each file of SQL, and the changelog."""
    for name, path in library.queries().items():
        text = library.expand(library.read(path))
        files.append(_page(config, f"sql/{name}.md", _PAGE, name, text))
    for name, text in library.modules().items():
        uri = f"sql/{name.replace('.', '/')}.md"
        files.append(_page(config, uri, _MODULE, name, text))
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    files.append(File.generated(config, "changelog.md", content=changelog))
    return files


def _page(config: MkDocsConfig, uri: str, form: str, name: str, text: str) -> File:
    return File.generated(config, uri, content=form.format(name=name, text=text.rstrip()))


def on_page_markdown(markdown: str, **_: object) -> str:
    """Lead links out of `docs/` to the pages above; keep numbers of tables beside their units."""
    led = _LINK.sub(lambda link: target(link[0]), markdown)
    return _QUANTITY.sub("\\1\N{NO-BREAK SPACE}\\2", led)


def target(link: str) -> str:
    """Return the page for a link out of `docs/`; unknown links stay, and fail a strict build."""
    query = _QUERY.fullmatch(link)
    return f"{query[1]}.md" if query else ELSEWHERE.get(link, link)
