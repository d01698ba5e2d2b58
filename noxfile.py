"""Tasks of the project: `nox -l` lists them. They run in the environment that nox runs in."""

import nox

nox.options.default_venv_backend = "none"
nox.options.sessions = ["lint", "fast"]

PYTEST = ("pytest", "-q", "-n", "auto", "--dist", "worksteal")
"""Runs tests on all cores; neighbours, which share traces and pages, mostly in one process."""

LINT = (
    ("ruff", "check", "."),
    ("ruff", "format", "--check", "."),
    ("mypy",),
    ("lint-imports",),
)
"""The checks that CI and the pre-commit hook run."""


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, types and the order of the packages."""
    for command in LINT:
        session.run(*command)


@nox.session
def fast(session: nox.Session) -> None:
    """Run the tests that need neither a browser nor recorded traces: a minute and a half."""
    session.run(*PYTEST, "-m", "not browser and not recorded")


@nox.session
def tests(session: nox.Session) -> None:
    """Run all tests; `nox -s tests -- tests/repair` runs some."""
    session.run(*PYTEST, *session.posargs)


@nox.session
def coverage(session: nox.Session) -> None:
    """Run all tests and fail where they reach under 95 % of the lines."""
    session.run(*PYTEST, "--cov", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the site into site/, and the pages that are generated."""
    session.run("python", "-m", "tools.commands")
    session.run("mkdocs", "build", "--strict")
