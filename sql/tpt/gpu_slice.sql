-- GPU work: kernels, copies and memsets, from traces as recorded, repaired or merged, as JSON or
-- .pftrace.

INCLUDE PERFETTO MODULE tpt.arg;

INCLUDE PERFETTO MODULE tpt.process_rank;

INCLUDE PERFETTO MODULE tpt.track;

INCLUDE PERFETTO MODULE tpt.launch_key;

INCLUDE PERFETTO MODULE tpt.collective.kind;

-- GPU work, with what its slice and its args say. Profilers write numbers as text, too, and a
-- column has one type.
CREATE PERFETTO TABLE _tpt_gpu_work AS
SELECT
  s.id,
  s.ts,
  s.dur,
  -- a repair that shortens names leaves the full one in args
  COALESCE(tpt_repair_arg!(s.arg_set_id, 'tpt_name'), s.name) AS name,
  s.track_id,
  -- cuda_graph: a replay that was recorded without its kernels, which an export of Nsight Systems
  -- has, and which is busy time like them
  s.category IN ('kernel', 'Kernel', 'cuda_graph') AS is_kernel,
  tpt_int_arg!(s.arg_set_id, 'device') AS device,
  COALESCE(
    tpt_int_arg!(s.arg_set_id, 'stream'),
    CAST(tpt_repair_arg!(s.arg_set_id, 'tpt_tid') AS INT)
  ) AS stream,
  tpt_int_arg!(s.arg_set_id, 'correlation') AS correlation,
  CAST(tpt_arg!(s.arg_set_id, 'Collective name') AS TEXT) AS collective_name
FROM slice AS s
WHERE
  s.category IN ('kernel', 'gpu_memcpy', 'gpu_memset', 'cuda_graph', 'Kernel', 'Memcpy', 'Memset')
  AND s.dur >= 0
ORDER BY s.id;

-- Each piece of GPU work that has ended. Annotations are no work. Device and stream come
-- from its args, else from its track.
CREATE PERFETTO TABLE tpt_gpu_slice(
  -- Id of its slice.
  id JOINID(slice.id),
  -- Its start, ns.
  ts TIMESTAMP,
  -- Its duration, ns.
  dur DURATION,
  -- Its end, ns.
  ts_end TIMESTAMP,
  -- Name of the kernel, or the profiler's name of the copy.
  name STRING,
  -- Its track.
  track_id JOINID(track.id),
  -- Its rank; NULL in the trace of one rank.
  rank LONG,
  -- The process that its track belongs to.
  upid JOINID(process.id),
  -- Its device.
  device LONG,
  -- Its stream.
  stream LONG,
  -- The launch that it comes from, see `tpt_launch`; NULL where the profiler gives none.
  launch_key LONG,
  -- compute (a graph recorded as a whole, too), collective, or copy (a memset too).
  kind STRING,
  -- Which collective it is (all_reduce, ...), unknown where nothing says; NULL: it is none.
  collective STRING
) AS
WITH
  kernel_name AS MATERIALIZED (
    SELECT name, tpt_collective_by_name(name) AS collective
    -- TraceProcessor sorts names in half the time that SQLite takes for DISTINCT
    FROM (SELECT name FROM _tpt_gpu_work WHERE is_kernel GROUP BY name)
  ),
  -- few: names of kernels are long, and take time to find among many
  named_collective AS MATERIALIZED (
    SELECT * FROM kernel_name WHERE collective IS NOT NULL
  )
SELECT
  work.id,
  work.ts,
  work.dur,
  work.ts + work.dur AS ts_end,
  work.name,
  work.track_id,
  tpt_process_rank.rank,
  tpt_track.upid,
  COALESCE(work.device, process.pid) AS device,
  COALESCE(work.stream, tpt_track.track_key) AS stream,
  tpt_launch_key!(tpt_process_rank.rank, work.correlation) AS launch_key,
  CASE
    WHEN NOT work.is_kernel THEN 'copy'
    WHEN COALESCE(work.collective_name, by_name.collective) IS NOT NULL THEN 'collective'
    ELSE 'compute'
  END AS kind,
  IIF(
    work.is_kernel,
    IIF(
      work.collective_name IS NULL,
      by_name.collective,
      COALESCE(tpt_collective_by_arg(work.collective_name), by_name.collective, 'unknown')
    ),
    NULL
  ) AS collective
FROM _tpt_gpu_work AS work
CROSS JOIN tpt_track USING (track_id)
LEFT JOIN process USING (upid)
LEFT JOIN tpt_process_rank USING (upid)
LEFT JOIN named_collective AS by_name ON work.is_kernel AND by_name.name = work.name
ORDER BY work.id;
