"""Share the options of commands whose work on ranks a Ray cluster may do."""

from __future__ import annotations

import functools
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import click
from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tp_tools.cli.console import Console
    from tp_tools.merging.workers import Workers


Command = TypeVar("Command", bound="Callable[..., Any]")


class ClusterOptions(Struct, frozen=True):
    """Who works on the ranks of a job; see the help texts.

    Attributes:
        address: of a Ray cluster; None for this machine.
        allow_missing: whether ranks whose work fails are left out.
        keep: folder in which results about ranks are kept; None for none.
    """

    address: str | None
    allow_missing: bool
    keep: Path | None = None

    @contextmanager
    def workers(self, console: Console) -> Iterator[Workers]:
        """Connect to the cluster while the block runs.

        Raises:
            UsageError: Ray is not installed, or no cluster answers; or others can write to the
                folder of kept results.
        """
        from tp_tools.merging.kept_results import KeptResults  # noqa: PLC0415  not for --help
        from tp_tools.merging.workers import Workers  # noqa: PLC0415

        kept = None
        if self.keep is not None:
            kept = KeptResults(self.keep.absolute())
            kept.check()
        if self.address is None:
            yield Workers(None, self.allow_missing, kept)
            return
        from tp_tools import cluster  # noqa: PLC0415  few commands want one

        with cluster.opened(self.address, console) as pool:
            yield Workers(pool, self.allow_missing, kept)


def ray_option(command: Command) -> Command:
    """Add --ray; the command receives `ray`."""
    return click.option(
        "--ray",
        metavar="ADDRESS",
        help="Have a Ray cluster work on the ranks: its address, auto for the one that runs here, "
        "or local for one of this machine's cores.",
    )(command)


def cluster_options(command: Command) -> Command:
    """Add --ray and --allow-missing; the command receives `cluster`."""

    @functools.wraps(command)
    def with_cluster(*args: Any, ray: str | None, allow_missing: bool, **more: Any) -> Any:  # noqa: ANN401  as click calls it
        return command(*args, cluster=ClusterOptions(ray, allow_missing), **more)

    missing = click.option(
        "--allow-missing",
        is_flag=True,
        help="Leave out ranks that cannot be read or whose work failed, and say which.",
    )
    return ray_option(missing(with_cluster))  # type: ignore[return-value]  # a wrapper of the same command
