"""Write a repaired trace as Chrome JSON.

Data enters as the text of the file, batch by batch, and the edits that a `Plan` asks for.
It leaves as blocks of text, plain or gzip: edited events are rewritten, all others copied.
"""
