"""Hooks of mkdocs for what the site shows from outside `docs/`: `sql/*.sql` and the changelog.

Pages link to `../sql/gaps.sql`, as works where the sources are browsed; in the site each such file
is a page of its own.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from mkdocs.structure.files import File

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

ROOT = Path(__file__).resolve().parents[1]
ELSEWHERE = {
    "../README.md": "index.md",
    "../CHANGELOG.md": "changelog.md",
    "../sql": "sql.md",
    "../sql/shared": "sql.md#a-query-of-your-own",
}
"""What stands for a file or folder outside of `docs/`."""

_LINK = re.compile(r"(?<=\]\()\.\./[^)\s]+(?=\))")
_QUERY = re.compile(r"\.\./(sql/(?:shared/)?\w+)\.sql")

_PAGE = """---
search:
  exclude: true
hide:
  - toc
---
# {name}.sql

`tp-tools sql {name}` prints this file. It runs as it is in the Query tab of the Perfetto UI.

```sql
{text}
```
"""
_SHARED = """---
search:
  exclude: true
hide:
  - toc
---
# {name}.sql

Definitions that several queries share.

```sql
{text}
```
"""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds a page for each file of SQL, and the changelog."""
    for path in sorted((ROOT / "sql").glob("*.sql")):
        files.append(_page(config, f"sql/{path.stem}.md", _PAGE, path))
    for path in sorted((ROOT / "sql" / "shared").glob("*.sql")):
        files.append(_page(config, f"sql/shared/{path.stem}.md", _SHARED, path))
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    files.append(File.generated(config, "changelog.md", content=changelog))
    return files


def _page(config: MkDocsConfig, uri: str, form: str, path: Path) -> File:
    text = path.read_text("utf-8").rstrip()
    return File.generated(config, uri, content=form.format(name=path.stem, text=text))


def on_page_markdown(markdown: str, **_: object) -> str:
    """Leads links out of `docs/` to the pages above."""
    return _LINK.sub(lambda link: target(link[0]), markdown)


def target(link: str) -> str:
    """Where a link out of `docs/` leads in the site; unknown ones stay, and fail a strict build."""
    query = _QUERY.fullmatch(link)
    return f"{query[1]}.md" if query else ELSEWHERE.get(link, link)
