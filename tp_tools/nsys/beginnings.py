"""Hold what an export tells before its events, for those who want to know no more."""

from __future__ import annotations

from msgspec import Struct


class Beginning(Struct, frozen=True):
    """What an export tells before its events.

    Attributes:
        head: the start of its text as a Chrome trace, up to and including the `[` of the events.
        has_gpu_work: whether it holds work of GPUs.
        has_events: whether it holds anything that becomes an event.
    """

    head: bytes
    has_gpu_work: bool
    has_events: bool
