"""Keep the whole members around the events of a damaged trace, and what is sure of the job."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tp_tools.chrome.damage import member_damage
from tp_tools.chrome.members import members
from tp_tools.chrome.opening import is_events

if TYPE_CHECKING:
    from tp_tools.chrome.damage import Losses
    from tp_tools.chrome.members import Member

_KEY = re.compile(rb'\s*"([^"]*)"\s*:')
_JOB = b"distributedInfo"
_OF_JOB = frozenset({b"backend", b"rank", b"world_size", b"pg_count", b"nccl_version"})
_OF_GROUPS = frozenset(
    {b"pg_config", b"pg_name", b"pg_desc", b"pg_size", b"backend_config", b"ranks"}
)
"""Members of `distributedInfo`, and those of the process groups in it: Kineto."""


def whole_members(text: bytes, start: int, offset: int, losses: Losses) -> bytes:
    """Return the whole members of an object, each behind a comma; note the damaged ones.

    Where quotes in `distributedInfo` leave its end in doubt, its members seem to be those of the
    object around it. They are put back if they occur once, so that no rank of a process group is
    taken for that of the trace.

    Args:
        text: the text of the outermost object.
        start: offset of the comma or brace before the first member.
        offset: offset of the text in the file.
        losses: counts repairs and the members that are left out.
    """
    kept: list[bytes] = []
    of_job: list[Member] = []
    for member in members(text, start):
        damaged = text[member.start + 1 : member.stop].lstrip()
        key = _key(member.text or damaged)
        if of_job and key in _OF_JOB | _OF_GROUPS:
            of_job.append(member)
        elif member.text and not is_events(member.text):
            kept.append(b"," + member.text)
            if member.quoted:
                losses.repairs["unescaped_quotes"] += member.quoted
        elif damaged:
            if key == _JOB:
                of_job = [member]
            byte = offset + member.stop - len(damaged)
            losses.note("damaged_members", member_damage(byte, damaged))
    if not any(_key(member[1:]) == _JOB for member in kept):
        kept += _job(text, of_job)
    return b"".join(kept)


def _key(member: bytes) -> bytes:
    match = _KEY.match(member)
    return match[1] if match else b""


def _job(text: bytes, of_job: list[Member]) -> list[bytes]:
    """Return the members of a damaged `distributedInfo` that occur once in it, as one member."""
    if not of_job:
        return []
    stretch = text[of_job[0].start : of_job[-1].stop]
    sure = [
        member.text
        for member in of_job[1:]
        if _key(member.text) in _OF_JOB and stretch.count(b'"%s"' % _key(member.text)) == 1
    ]
    return [b',"%s":{%s}' % (_JOB, b",".join(sure))] if sure else []
