"""Hold the SQL library against independent SQL on random exports of Nsight Systems.

    python -m tools.random_exports 200

makes 200 exports, each from a seed, and compares what queries of the library say of work, streams,
launches, arrows, copies, waits and ranges with what SQL says that reads the tables of the export.
Exports have several processes, GPUs, contexts and streams of one number; launches of many kernels,
of none, and work without a launch; numbers that are missing, as rows, columns or tables. Printed
are the seeds whose answers differ; then it ends with exit code 1.
"""
