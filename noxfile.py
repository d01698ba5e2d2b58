"""Tasks of the project: `nox -l` lists them.

They run in the environment that nox runs in; `versions`, `lowest`, `package` and `torch`
make their own.
"""

import socket
import sys
from pathlib import Path

import nox

nox.options.default_venv_backend = "none"
nox.options.sessions = ["lint", "fast"]

PYTEST = ("python", "-m", "pytest", "-q", "-n", "auto", "--dist", "worksteal")
"""Runs tests on all cores; neighbours, which share traces and pages, mostly in one process."""

FAST = "not browser and not recorded"
"""Marks the tests that need neither a browser nor recorded traces."""

EVERYTHING = "parquet,report,docs,dev"
"""All extras."""

RESOLVE = (
    *("uv", "pip", "compile", "--quiet", "--python-version", "3.10", "pyproject.toml"),
    "--all-extras",
)
"""Chooses versions of all packages."""

WEAKNESSES = "api.osv.dev"
"""Knows the weaknesses of packages; without it, `pip-audit` would find none."""

TORCH_CPU = "download.pytorch.org"
"""Has PyTorch for the CPU alone, some 200 MB; that of PyPI carries CUDA, and takes over 3 GB."""

LINT = (
    ("ruff", "check", "."),
    ("ruff", "format", "--check", "."),
    ("mypy",),
    ("lint-imports",),
)
"""The checks that CI and the pre-commit hook run."""


def _is_reachable(host: str) -> bool:
    """Tell whether a host answers."""
    try:
        socket.create_connection((host, 443), timeout=10).close()
    except OSError:
        return False
    return True


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, types and the order of the packages."""
    for command in LINT:
        session.run(*command)


@nox.session
def fast(session: nox.Session) -> None:
    """Run the tests that need neither a browser nor recorded traces."""
    session.run(*PYTEST, "-m", FAST)


@nox.session
def tests(session: nox.Session) -> None:
    """Run all tests; `nox -s tests -- tests/repair` runs some."""
    session.run(*PYTEST, *session.posargs)


@nox.session
def coverage(session: nox.Session) -> None:
    """Run all tests and fail where they reach under 95 % of the lines."""
    session.run(*PYTEST, "--cov", *session.posargs)


@nox.session(venv_backend="virtualenv", python=["3.10", "3.13"])
def versions(session: nox.Session) -> None:
    """Run the fast tests on the oldest and the newest Python, with the newest packages."""
    session.install("-e", f".[{EVERYTHING}]")
    session.run(*PYTEST, "-m", FAST, *session.posargs)


@nox.session(venv_backend="virtualenv", python="3.10")
def lowest(session: nox.Session) -> None:
    """Run the fast tests on the oldest Python with the lowest versions that are allowed."""
    lowest_versions = f"{session.create_tmp()}/lowest.txt"
    session.install("uv")
    session.run(*RESOLVE, "--resolution", "lowest-direct", "-o", lowest_versions, silent=True)
    session.install("-r", lowest_versions)
    session.install("--no-deps", "-e", ".")
    session.run(*PYTEST, "-m", FAST, *session.posargs)


@nox.session(venv_backend="uv", python=["3.10", "3.13"])
@nox.parametrize("suffix", [nox.param(".tar.gz", id="sdist"), nox.param(".whl", id="wheel")])
def package(session: nox.Session, suffix: str) -> None:
    """Install the sdist or the wheel on the oldest and the newest Python, and use it elsewhere."""
    folder = Path(session.create_tmp())
    for left in folder.iterdir():
        left.unlink()
    build = (sys.executable, "-m", "build", "--installer", "uv", "--outdir", str(folder))
    session.run(*build, silent=True, external=True)
    (built,) = folder.glob(f"*{suffix}")
    session.install(str(built))
    trace = str(Path("fixtures/pdl_decode.json.gz").resolve())
    with session.chdir(folder):
        session.run("tp-tools", "fix", trace, "-o", "fixed.json.zst", "--verify")
        session.run("tp-tools", "query", "kernels", "fixed.json.zst", silent=True)
        session.run("python", "-c", f"import tp_tools; tp_tools.info({trace!r})")


@nox.session(venv_backend="uv")
def torch(session: nox.Session) -> None:
    """Run the tests that need PyTorch; `nox -s torch -- torch==2.13.0` takes that version."""
    session.install("-e", ".[dev]")
    builds = ("--index-url", f"https://{TORCH_CPU}/whl/cpu") if _is_reachable(TORCH_CPU) else ()
    session.install(*(session.posargs or ["torch"]), *builds)
    session.run("python", "-c", "import torch; print('PyTorch', torch.__version__)")
    bisect = "tests/cli/test_bisect.py::test_with_the_real_profiler"
    session.run("pytest", "-q", "tests/torch", bisect)


@nox.session
def lock(session: nox.Session) -> None:
    """Write requirements-dev.txt: the newest version of each package, for any Python."""
    everywhere = ("--universal", "--no-annotate", "--upgrade")
    session.run(*RESOLVE, *everywhere, "-o", "requirements-dev.txt")


@nox.session
def audit(session: nox.Session) -> None:
    """Look for known weaknesses of what is installed, where a database of them can be reached."""
    if not _is_reachable(WEAKNESSES):
        session.skip(f"{WEAKNESSES}, which lists weaknesses, cannot be reached")
    session.run("pip-audit", "--vulnerability-service", "osv", "--strict", "--skip-editable")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the site into site/, and the pages that are generated."""
    session.run("python", "-m", "tools.commands")
    session.run("mkdocs", "build", "--strict")
