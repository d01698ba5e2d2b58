"""Read trace files as streams of text, and write output files whole or not at all.

Paths, "-" and pipes enter as a `Source` that gives blocks of decompressed bytes.
Blocks of bytes leave through `output.written`, compressed as the suffix of the name says.
"""
