"""Measure how much of the last packet of a trace in protobuf is missing.

TraceProcessor leaves out a packet whose end is not in the file, and says nothing. A file of
tp-tools holds thousands of events in a packet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tp_tools.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tp_tools.progress import Reporter

PACKET = 0x0A
"""The tag of Trace.packet (perfetto, protos/perfetto/trace/trace.proto)."""

_LONGEST_SIZE = 10
"""Most bytes of a size (a varint of 64 bits)."""


class Packets:
    """The packets in blocks that pass by.

    Attributes:
        whole: number of packets that were there with their end.
        missing: bytes of the last packet that have not come; at least 1 where its size is cut.
    """

    def __init__(self) -> None:
        """Begin with no packet."""
        self.whole = 0
        self._left = 0
        self._head = b""
        self._is_other = False

    @property
    def missing(self) -> int:
        """See the class; 0 where the file holds anything else than packets."""
        return 0 if self._is_other else self._left or int(bool(self._head))

    def damage(self) -> str:
        """Say how the file is damaged, as a sentence without a subject."""
        return (
            f"is cut short: {self.missing:,} bytes or more are missing of its last packet, which "
            "Perfetto leaves out."
        )

    def refuse_none(self, name: str) -> None:
        """Refuse a file that ends within its first packet: it holds nothing, and may be text.

        Args:
            name: the file in messages.

        Raises:
            InputError: it does.
        """
        if self.missing and not self.whole:
            raise InputError(
                f"{name}: is neither Chrome JSON nor a whole Perfetto trace. Give the file that "
                "the profiler wrote."
            )

    def tell(self, name: str, reporter: Reporter) -> None:
        """Warn of a file that ends within a packet; refuse one that ends within its first.

        Args:
            name: the file in messages.
            reporter: receives the warning.

        Raises:
            InputError: see `refuse_none`.
        """
        self.refuse_none(name)
        if self.missing:
            reporter.warn(f"{name}: {self.damage()}")

    def watched(self, blocks: Iterable[bytes]) -> Iterator[bytes]:
        """Pass on blocks, and follow the packets in them."""
        for block in blocks:
            if not self._is_other:
                self._follow(block)
            yield block

    def _follow(self, block: bytes) -> None:
        at, end = 0, len(block)
        while at < end:
            if self._left:
                step = min(self._left, end - at)
                at, self._left = at + step, self._left - step
                self.whole += not self._left
                continue
            self._head += block[at : at + 1]
            at += 1
            if len(self._head) == 1:
                self._is_other = self._head[0] != PACKET
            elif not self._head[-1] & 0x80:
                size = sum((byte & 0x7F) << 7 * i for i, byte in enumerate(self._head[1:]))
                self._left, self._head = size, b""
                self.whole += not size
            else:
                self._is_other = len(self._head) > _LONGEST_SIZE
            if self._is_other:
                return
