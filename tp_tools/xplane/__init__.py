"""Read profiles of XLA (xplane.pb), which JAX writes, as the text of a Kineto trace."""

from typing import TYPE_CHECKING

from tp_tools._exports import exporter

if TYPE_CHECKING:
    from tp_tools.xplane.export import read_text

__all__ = ["read_text"]

__getattr__ = exporter(__name__, {"read_text": "export"})
