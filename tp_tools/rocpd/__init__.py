"""Read rocpd databases, which rocprofv3 of ROCm writes, as the text of a Kineto trace."""

from typing import TYPE_CHECKING

from tp_tools._exports import exporter

if TYPE_CHECKING:
    from tp_tools.rocpd.export import beginning, is_export, read_text

__all__ = ["beginning", "is_export", "read_text"]

__getattr__ = exporter(
    __name__, {"beginning": "export", "is_export": "export", "read_text": "export"}
)
