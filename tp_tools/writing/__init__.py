"""Write a trace with the changes of its plan; decides nothing and opens no output.

Data enters as a `Source` (read again for its text), the columns of its `Trace` and a `Plan`.
It leaves as blocks of bytes: Chrome JSON from `json`, TrackEvent packets from `pftrace`.
"""

from typing import TYPE_CHECKING

from tp_tools._exports import exporter

if TYPE_CHECKING:
    from tp_tools.writing.json.strict import check_events, checks_of
    from tp_tools.writing.pftrace.options import PftraceOptions
    from tp_tools.writing.select import select_events

__all__ = ["PftraceOptions", "check_events", "checks_of", "select_events"]

__getattr__ = exporter(
    __name__,
    {
        "PftraceOptions": "pftrace.options",
        "check_events": "json.strict",
        "checks_of": "json.strict",
        "select_events": "select",
    },
)
