"""A repaired trace as Perfetto's own protobuf: TrackEvent packets (`.pftrace`).

    part.py        how a trace stands among others of one file
    scene.py       all that is to be written, worked out from columns:
      shown.py       slices and instants of threads, with the times and lanes of the plan
      arrows.py      which of these an arrow joins (stack.py: on tracks with B and E events)
      tracks.py      processes, threads and lanes: ids, names, order
      order.py       which packets have to wait, so that equal times come in the right order
    write.py       the stream:
      header.py      clock, interned names, the file's header
      packets.py     BEGIN, END and INSTANT packets, as rows of matrices
      runs.py        those of one run of events (rest.py: what its text gives)
      loose.py       what is on no thread's row: asynchronous slices, counters, instants
      late.py        packets that wait
      compressed.py  packets compressed inside the file
    wire.py        protobuf bytes, one message at a time or a million as rows of a matrix

Source of the format: perfetto, protos/perfetto/trace (v52.0 to v58.2).
"""
