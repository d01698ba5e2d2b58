-- GPU work beside the call that launched it.

INCLUDE PERFETTO MODULE tpt.arg;

INCLUDE PERFETTO MODULE tpt.gpu_slice;

INCLUDE PERFETTO MODULE tpt.launch;

-- Each piece of GPU work, with its launch.
CREATE PERFETTO TABLE tpt_launched(
  -- Id of the work's slice.
  id JOINID(slice.id),
  -- Its start, ns.
  ts TIMESTAMP,
  -- Its duration, ns.
  dur DURATION,
  -- Its end, ns.
  ts_end TIMESTAMP,
  -- Its name.
  name STRING,
  -- Its track.
  track_id JOINID(track.id),
  -- Its rank; NULL in the trace of one rank.
  rank LONG,
  -- The process that its row belongs to.
  upid JOINID(process.id),
  -- Its device.
  device LONG,
  -- Its stream.
  stream LONG,
  -- The launch that it comes from, see `tpt_launch`; NULL where the profiler gives none.
  launch_key LONG,
  -- compute, collective, or copy (a memset too).
  kind STRING,
  -- Which collective it is; NULL: none.
  collective STRING,
  -- Start of the call that launched it, ns; NULL where the trace has no such call.
  launch_ts TIMESTAMP,
  -- Duration of that call, ns; NULL likewise.
  launch_dur DURATION,
  -- Name of that call; NULL likewise.
  launch_name STRING,
  -- The row of that call's thread, as `tpt_row_id!` has it; NULL likewise.
  launch_row LONG,
  -- The process of that call; NULL likewise.
  launch_upid JOINID(process.id),
  -- 1: a copy whose call returned only after it, else 0; NULL for copies without a call.
  is_blocking BOOL,
  -- When it was launched at the latest, ns: a copy whose call returned only after it when that call
  -- began; NULL where the trace has no such call.
  launched_by TIMESTAMP,
  -- Id of the graph that it ran in; NULL or 0: in none.
  graph_id LONG
) AS
SELECT
  work.*,
  launch.ts AS launch_ts,
  launch.dur AS launch_dur,
  launch.name AS launch_name,
  launch.row_id AS launch_row,
  launch.upid AS launch_upid,
  work.kind = 'copy' AND launch.ts_end >= work.ts_end AS is_blocking,
  IIF(
    work.kind = 'copy' AND launch.ts_end >= work.ts_end,
    launch.ts,
    MIN(launch.ts_end, work.ts)
  ) AS launched_by,
  tpt_int_arg!(slice.arg_set_id, 'graph id') AS graph_id
FROM tpt_gpu_slice AS work
CROSS JOIN slice USING (id)
LEFT JOIN tpt_launch AS launch USING (launch_key)
ORDER BY work.id;
