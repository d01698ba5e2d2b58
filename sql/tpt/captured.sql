-- Launches while a CUDA or HIP graph is captured: they run nothing, and each replay runs them all.

INCLUDE PERFETTO MODULE tpt.arg;

INCLUDE PERFETTO MODULE tpt.dims;

INCLUDE PERFETTO MODULE tpt.launch;

INCLUDE PERFETTO MODULE tpt.module;

INCLUDE PERFETTO MODULE tpt.nest;

INCLUDE PERFETTO MODULE tpt.track;

-- The calls that add work to a graph, on the thread that captures, while it does.
CREATE PERFETTO TABLE _tpt_captured_call AS
WITH
  point AS (
    SELECT
      rank,
      upid,
      track_key,
      ts,
      id,
      name,
      CASE
        WHEN name GLOB '*StreamBeginCapture*' THEN 1
        WHEN name GLOB '*StreamEndCapture*' THEN 0
      END AS begins,
      (name GLOB '*Launch*' AND NOT name GLOB '*GraphLaunch*' AND NOT name GLOB '*HostFunc*')
      OR name GLOB '*Memcpy*'
      OR name GLOB '*Memset*' AS is_launch,
      NOT name GLOB '*Launch*' AS is_copy
    FROM tpt_call
    WHERE
      name GLOB '*Launch*'
      OR name GLOB '*Memcpy*'
      OR name GLOB '*Memset*'
      OR name GLOB '*Stream*Capture*'
  ),
  counted AS (
    SELECT
      *,
      COUNT(begins) OVER so_far AS marks
    FROM point
    WINDOW so_far AS (
      PARTITION BY upid, track_key ORDER BY ts, id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    )
  ),
  inside AS (
    SELECT
      *,
      -- of the marks before it the last begins a capture
      FIRST_VALUE(COALESCE(begins, 0)) OVER (
        PARTITION BY upid, track_key, marks ORDER BY ts, id
      ) AS is_captured,
      FIRST_VALUE(ts) OVER (PARTITION BY upid, track_key, marks ORDER BY ts, id) AS capture_ts
    FROM counted
  )
SELECT
  rank,
  upid,
  track_key,
  ts,
  id,
  name,
  is_copy,
  DENSE_RANK() OVER (ORDER BY rank, capture_ts, upid, track_key) - 1 AS graph
FROM inside
WHERE
  is_launch AND is_captured
ORDER BY id;

-- These calls, as slices of no time, and calls of modules.
CREATE PERFETTO TABLE _tpt_capture_or_module AS
SELECT id, upid, track_key, ts, 0 AS dur, NULL AS module
FROM _tpt_captured_call
WHERE
  upid IS NOT NULL
UNION ALL
SELECT id, upid, track_key, ts, dur, name
FROM tpt_module_slice
WHERE
  upid IS NOT NULL AND (SELECT COUNT(*) FROM _tpt_captured_call) > 0
ORDER BY upid, track_key, ts, dur DESC, id;

-- All of these on one axis.
CREATE PERFETTO TABLE _tpt_capture_event AS
SELECT seq, start, stop, id, module
FROM tpt_on_axis!(_tpt_capture_or_module)
ORDER BY seq;

-- These calls likewise, and ops.
CREATE PERFETTO TABLE _tpt_capture_or_op AS
SELECT id, upid, track_key, ts, 0 AS dur, 0 AS is_op
FROM _tpt_captured_call
WHERE
  upid IS NOT NULL
UNION ALL
SELECT
  s.id,
  tpt_track.upid,
  tpt_track_key!(tpt_track.tid, tpt_track.track_key, s.arg_set_id) AS track_key,
  s.ts,
  tpt_recorded_dur!(s.arg_set_id, s.dur) AS dur,
  1
FROM slice AS s
CROSS JOIN tpt_track USING (track_id)
WHERE
  s.category IN ('cpu_op', 'Operator')
  AND s.dur > 0
  AND tpt_track.upid IS NOT NULL
  AND (SELECT COUNT(*) FROM _tpt_captured_call) > 0
ORDER BY upid, track_key, ts, dur DESC, id;

-- All of these on one axis.
CREATE PERFETTO TABLE _tpt_capture_op_event AS
SELECT seq, start, stop, id, is_op
FROM tpt_on_axis!(_tpt_capture_or_op)
ORDER BY seq;

-- The innermost op around each of these calls.
CREATE PERFETTO TABLE _tpt_captured_op AS
SELECT event.id, op.seq, slice.name, NULLIF(tpt_dims!(slice.arg_set_id), '') AS dims
FROM tpt_parents!(_tpt_capture_op_event) AS own
CROSS JOIN _tpt_capture_op_event AS event USING (seq)
CROSS JOIN _tpt_capture_op_event AS op ON op.seq = own.parent
CROSS JOIN slice ON slice.id = op.id
WHERE
  NOT event.is_op
ORDER BY event.id;

-- Launches while graphs are captured, in the order of their nodes, with module and op of each.
CREATE PERFETTO TABLE tpt_captured(
  -- Its rank; NULL in the trace of one rank.
  rank LONG,
  -- Number of the graph, in the order of captures.
  graph LONG,
  -- Number of the launch in its graph, from 0.
  node LONG,
  -- Name of the call.
  call STRING,
  -- 1: it copies or sets memory, 0: it launches a kernel.
  is_copy BOOL,
  -- Name of the kernel, where the profiler writes it beside the call (ROCm); else NULL.
  kernel STRING,
  -- The modules around it, from the outermost on: A_0 > B_0; NULL: none.
  path STRING,
  -- The innermost op around it; NULL: none.
  op STRING,
  -- Number of the call of that op in its graph, from 0: one may launch several; NULL likewise.
  op_call LONG,
  -- Shapes of its inputs, as `tpt_dims!` writes them; NULL likewise, or where not recorded.
  dims STRING,
  -- Id of the call's slice.
  id JOINID(slice.id)
) AS
WITH RECURSIVE
  parent AS MATERIALIZED (
    SELECT event.seq, own.parent, event.module, event.id
    FROM _tpt_capture_event AS event
    CROSS JOIN tpt_parents!(_tpt_capture_event) AS own USING (seq)
  ),
  walk(seq, path) AS (
    SELECT seq, module FROM parent WHERE parent = 0
    UNION ALL
    SELECT it.seq, COALESCE(walk.path || IIF(it.module IS NULL, '', ' > '), '')
      || COALESCE(it.module, '')
    FROM walk
    CROSS JOIN parent AS it ON it.parent = walk.seq
  ),
  placed AS MATERIALIZED (
    SELECT parent.id, NULLIF(walk.path, '') AS path
    FROM walk
    CROSS JOIN parent USING (seq)
    WHERE
      parent.module IS NULL
  )
SELECT
  it.rank,
  it.graph,
  ROW_NUMBER() OVER (PARTITION BY it.graph ORDER BY it.ts, it.id) - 1 AS node,
  it.name AS call,
  it.is_copy,
  IIF(it.is_copy, NULL, tpt_arg!(slice.arg_set_id, 'kernel')) AS kernel,
  placed.path,
  op.name AS op,
  IIF(
    op.seq IS NULL,
    NULL,
    DENSE_RANK() OVER (PARTITION BY it.graph, op.seq IS NULL ORDER BY op.seq) - 1
  ) AS op_call,
  op.dims,
  it.id
FROM _tpt_captured_call AS it
CROSS JOIN slice USING (id)
LEFT JOIN placed USING (id)
LEFT JOIN _tpt_captured_op AS op USING (id)
ORDER BY it.graph, node;
