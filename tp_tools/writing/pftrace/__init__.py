"""Write a repaired trace as TrackEvent packets (`.pftrace`), Perfetto's own protobuf format.

Data enters as the columns of a trace, its `Plan` and `PftraceOptions`, then the text for args.
It leaves as blocks of whole packets; the files of several traces can follow each other in one.
"""
