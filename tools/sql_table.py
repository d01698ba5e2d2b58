"""The library as a table in Markdown, from the headers of `sql/*.sql`."""


def library_table() -> str:
    return ""
