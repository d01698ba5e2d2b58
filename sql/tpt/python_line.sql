-- Lines of Python: their calls, and the line of each piece of GPU work, forward and backward.

INCLUDE PERFETTO MODULE tpt.arg;

INCLUDE PERFETTO MODULE tpt.code_around;

INCLUDE PERFETTO MODULE tpt.launch;

INCLUDE PERFETTO MODULE tpt.launched;

INCLUDE PERFETTO MODULE tpt.module;

INCLUDE PERFETTO MODULE tpt.op;

INCLUDE PERFETTO MODULE tpt.process_rank;

INCLUDE PERFETTO MODULE tpt.track;

-- Calls of Python functions.
CREATE PERFETTO TABLE tpt_python_call(
  -- Id of its slice.
  id JOINID(slice.id),
  -- Its start, ns.
  ts TIMESTAMP,
  -- Its end, ns.
  ts_end TIMESTAMP,
  -- File, line of the `def`, and function, as the profiler writes them: train.py(12): step.
  name STRING,
  -- Its rank; NULL in the trace of one rank.
  rank LONG,
  -- Its process.
  upid JOINID(process.id),
  -- The track of its thread, as `tpt_track_key!` has it.
  track_key LONG
) AS
SELECT
  s.id,
  s.ts,
  s.ts + tpt_recorded_dur!(s.arg_set_id, s.dur) AS ts_end,
  s.name,
  tpt_process_rank.rank,
  tpt_track.upid,
  tpt_track_key!(tpt_track.tid, tpt_track.track_key, s.arg_set_id) AS track_key
FROM slice AS s
CROSS JOIN tpt_track USING (track_id)
LEFT JOIN tpt_process_rank USING (upid)
WHERE
  s.category = 'python_function' AND s.name GLOB '*([0-9]*): *' AND s.dur > 0
ORDER BY s.id;

-- Where on the CPU each piece of GPU work comes from: its launch call, else its op; of the backward
-- pass the forward op, where that is recorded. Work of neither is not here.
CREATE PERFETTO TABLE tpt_work_origin(
  -- Id of the work's slice.
  id JOINID(slice.id),
  -- Id of the slice that it comes from.
  origin_id JOINID(slice.id),
  -- The start of that slice, ns.
  ts TIMESTAMP,
  -- Its process.
  upid JOINID(process.id),
  -- The track of its thread, as `tpt_track_key!` has it.
  track_key LONG,
  -- 1: launched by the backward pass, else 0.
  is_backward BOOL,
  -- 1: by the backward pass, and its forward op is not in the trace, else 0.
  is_lost BOOL
) AS
SELECT
  work.id,
  COALESCE(forward.id, launch.id, op.id) AS origin_id,
  COALESCE(forward.ts, work.launch_ts, op.ts) AS ts,
  CASE
    WHEN forward.id IS NOT NULL THEN forward.upid
    WHEN work.launch_id IS NOT NULL THEN work.launch_upid
    ELSE op.upid
  END AS upid,
  CASE
    WHEN forward.id IS NOT NULL THEN forward.track_key
    WHEN work.launch_id IS NOT NULL THEN work.launch_track_key
    ELSE op.track_key
  END AS track_key,
  backward.backward_seq IS NOT NULL AS is_backward,
  backward.backward_seq IS NOT NULL AND forward.id IS NULL AS is_lost
FROM tpt_launched AS work
CROSS JOIN tpt_op_of_work AS of_work USING (id)
LEFT JOIN tpt_launch AS launch USING (launch_id)
LEFT JOIN tpt_op AS op ON op.seq = of_work.seq
LEFT JOIN tpt_backward_around AS backward ON backward.seq = of_work.seq
LEFT JOIN tpt_forward_op AS made ON made.seq = backward.backward_seq
LEFT JOIN tpt_op AS forward ON forward.seq = made.forward_seq
WHERE
  work.launch_id IS NOT NULL OR op.id IS NOT NULL
ORDER BY work.id;

-- The Python line of each slice that GPU work comes from. Those outside Python have no row.
CREATE PERFETTO TABLE tpt_origin_line(
  -- Id of the slice.
  id JOINID(slice.id),
  -- The innermost Python function around it that is no part of PyTorch, else the innermost, named
  -- as in `tpt_python_call`.
  python_line STRING
) AS
WITH
  origin AS MATERIALIZED (
    SELECT DISTINCT origin_id AS id FROM tpt_work_origin
  )
SELECT id, python_line
FROM tpt_code_around!(origin)
WHERE
  python_line IS NOT NULL
ORDER BY id;
