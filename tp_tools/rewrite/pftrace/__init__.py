"""A repaired trace as Perfetto's own protobuf: TrackEvent packets (`.pftrace`).

    wire.py      protobuf bytes, one message at a time or a million as rows of a matrix
    shown.py     what there is to show: slices and instants with the times and lanes of the plan
    arrows.py    which slices an arrow joins: Perfetto's binding rules on these
    tracks.py    processes, threads, lanes: ids, names, order
    order.py     which packets have to wait so that equal times come in the right order
    packets.py   BEGIN, END and INSTANT packets
    loose.py     what is on no thread's row: asynchronous slices, counters, instants of a process
    header.py    clocks, interned names, the file's header
    write.py     all of it as a stream

Source of the format: perfetto, protos/perfetto/trace (v52.0 to v58.2).
"""
