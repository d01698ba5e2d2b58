"""Writes a trace with the changes of its plan; decides nothing and opens no output.

Data enters as a `Source` (read again for its text), the columns of its `Trace` and a `Plan`.
It leaves as blocks of bytes: Chrome JSON from `json`, TrackEvent packets from `pftrace`.
"""
