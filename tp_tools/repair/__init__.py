"""Finds what has to change in one trace so that Perfetto shows all of it.

Data enters as a `Source`, which is read into columns; sql/overlaps.sql decides about overlaps.
It leaves as an `Analysis` (the `Plan` and counts), which `writing` carries out.
"""
