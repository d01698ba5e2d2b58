"""Run calls on the machines of a Ray cluster, as a pool does on this one."""

from typing import TYPE_CHECKING

from tp_tools._exports import exporter

if TYPE_CHECKING:
    from tp_tools.cluster.connection import opened
    from tp_tools.cluster.pool import ClusterPool

__all__ = ["ClusterPool", "opened"]

__getattr__ = exporter(
    __name__,
    {
        "ClusterPool": "pool",
        "opened": "connection",
    },
)
