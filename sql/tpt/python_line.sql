-- Lines of Python: their calls, and the line of each piece of GPU work, forward and backward.

INCLUDE PERFETTO MODULE tpt.arg;

INCLUDE PERFETTO MODULE tpt.code_around;

INCLUDE PERFETTO MODULE tpt.code_slice_table;

INCLUDE PERFETTO MODULE tpt.launch;

INCLUDE PERFETTO MODULE tpt.launched;

INCLUDE PERFETTO MODULE tpt.module;

INCLUDE PERFETTO MODULE tpt.op;

INCLUDE PERFETTO MODULE tpt.process_rank;

INCLUDE PERFETTO MODULE tpt.python_name;

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
  s.category = 'python_function' AND tpt_is_python_line!(s.name) AND s.dur > 0
ORDER BY s.id;

-- Where on the CPU each piece of GPU work comes from: its launch call, else its op; of the backward
-- pass the forward op, where that is recorded (is_lost: it is not). Work of neither is not here.
CREATE PERFETTO TABLE _tpt_work_origin AS
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
CREATE PERFETTO TABLE _tpt_origin_line AS
WITH
  origin AS MATERIALIZED (
    SELECT DISTINCT origin_id AS id FROM _tpt_work_origin
  )
SELECT id, python_line
FROM tpt_code_around!(origin, tpt_code_slice_table)
WHERE
  python_line IS NOT NULL
ORDER BY id;

-- The Python line of each piece of GPU work: of the innermost function around where it comes from
-- that is no part of PyTorch, else of the innermost one.
CREATE PERFETTO TABLE tpt_line_of_work(
  -- Id of the work's slice.
  id JOINID(slice.id),
  -- Its rank; NULL in the trace of one rank.
  rank LONG,
  -- Its duration, ns.
  dur DURATION,
  -- The start of what it comes from: its launch call, else its op; of the backward pass the forward
  -- op, where that is recorded, ns; NULL: nothing of it is recorded.
  ts TIMESTAMP,
  -- The process of that; NULL likewise.
  upid JOINID(process.id),
  -- The track of its thread, as `tpt_track_key!` has it; NULL likewise.
  track_key LONG,
  -- 1: launched by the backward pass, else 0.
  is_backward BOOL,
  -- The line, named as in `tpt_python_call`; NULL: of none.
  python_line STRING,
  -- Why it is of no line: no Python lines recorded, launch not recorded, forward not recorded (of
  -- the backward pass, its forward op is not in the trace), outside Python; else NULL.
  reason STRING
) AS
WITH
  has_lines AS MATERIALIZED (
    SELECT DISTINCT rank FROM tpt_python_call
  )
SELECT
  work.id,
  work.rank,
  work.dur,
  origin.ts,
  origin.upid,
  origin.track_key,
  COALESCE(origin.is_backward, 0) AS is_backward,
  line.python_line,
  CASE
    WHEN line.python_line IS NOT NULL THEN NULL
    WHEN NOT EXISTS (SELECT 1 FROM has_lines WHERE has_lines.rank IS work.rank)
      THEN 'no Python lines recorded'
    WHEN origin.id IS NULL THEN 'launch not recorded'
    WHEN origin.is_lost THEN 'forward not recorded'
    ELSE 'outside Python'
  END AS reason
FROM tpt_launched AS work
LEFT JOIN _tpt_work_origin AS origin USING (id)
LEFT JOIN _tpt_origin_line AS line ON line.id = origin.origin_id
ORDER BY work.id;
