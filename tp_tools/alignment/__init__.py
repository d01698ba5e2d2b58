"""Puts all ranks of a job on one clock; reads no file.

Data enters as one `Member` per rank: its collectives as columns, and its host name.
It leaves as an `Alignment`: a `Clock` per rank, and which collectives match.
"""
