-- Calls of the CUDA, HIP or XPU runtime and driver, and which of them launched GPU work.

INCLUDE PERFETTO MODULE tpt.arg;

INCLUDE PERFETTO MODULE tpt.process_rank;

INCLUDE PERFETTO MODULE tpt.track;

INCLUDE PERFETTO MODULE tpt.gpu_slice;

INCLUDE PERFETTO MODULE tpt.launch_key;

-- Each call. Where a repair trimmed one, its duration is the recorded one.
CREATE PERFETTO TABLE tpt_call(
  -- Id of its slice.
  id JOINID(slice.id),
  -- Equal to `tpt_gpu_slice.launch_key` of the work that it launched; NULL: no correlation id.
  launch_key LONG,
  -- Its start, ns.
  ts TIMESTAMP,
  -- Its duration, ns.
  dur DURATION,
  -- Its end, ns.
  ts_end TIMESTAMP,
  -- Its name.
  name STRING,
  -- Its rank; NULL in the trace of one rank.
  rank LONG,
  -- Its process.
  upid JOINID(process.id),
  -- The track of its thread, as `tpt_track_key!` has it.
  track_key LONG
) AS
WITH
  call AS (
    SELECT
      s.id,
      s.ts,
      tpt_recorded_dur!(s.arg_set_id, s.dur) AS dur,
      s.name,
      tpt_process_rank.rank,
      tpt_track.upid,
      tpt_track_key!(tpt_track.tid, tpt_track.track_key, s.arg_set_id) AS track_key,
      tpt_int_arg!(s.arg_set_id, 'correlation') AS correlation
    FROM slice AS s
    CROSS JOIN tpt_track USING (track_id)
    LEFT JOIN tpt_process_rank USING (upid)
    WHERE
      s.category IN ('cuda_runtime', 'cuda_driver', 'xpu_runtime', 'Runtime')
  )
SELECT
  id,
  tpt_launch_key!(rank, correlation) AS launch_key,
  ts,
  dur,
  ts + dur AS ts_end,
  name,
  rank,
  upid,
  track_key
FROM call
ORDER BY launch_key;

-- The calls of `tpt_launch`, in their order and without numbers.
CREATE PERFETTO TABLE _tpt_launch AS
WITH
  work AS (
    SELECT DISTINCT launch_key FROM tpt_gpu_slice
  )
SELECT
  call.id,
  launch_key,
  MIN(call.ts) AS ts,
  call.dur,
  call.ts_end,
  call.name,
  call.rank,
  call.upid,
  call.track_key
FROM work
CROSS JOIN tpt_call AS call USING (launch_key)
GROUP BY launch_key, call.upid
ORDER BY launch_key, call.upid;

-- The calls that launch GPU work: of each process the first call of a `launch_key`. Processes of
-- one rank may count their correlation ids alike: which of their calls launched a piece of work
-- stands in `tpt_launched`.
CREATE PERFETTO TABLE tpt_launch(
  -- Number of the call.
  launch_id LONG,
  -- Id of its slice.
  id JOINID(slice.id),
  -- The key, see `tpt_call`; never NULL.
  launch_key LONG,
  -- Start of the call, ns.
  ts TIMESTAMP,
  -- Its duration, ns.
  dur DURATION,
  -- Its end, ns.
  ts_end TIMESTAMP,
  -- Its name.
  name STRING,
  -- Its rank; NULL in the trace of one rank.
  rank LONG,
  -- Its process.
  upid JOINID(process.id),
  -- The track of its thread, as `tpt_track_key!` has it.
  track_key LONG,
  -- 1: another process has a call of this key too, else 0.
  is_shared BOOL
) AS
WITH
  shared AS (
    SELECT launch_key FROM _tpt_launch GROUP BY launch_key HAVING COUNT(*) > 1
  )
SELECT
  _auto_id + 1 AS launch_id,
  *,
  launch_key IN (SELECT launch_key FROM shared) AS is_shared
FROM _tpt_launch
ORDER BY launch_key, upid;
