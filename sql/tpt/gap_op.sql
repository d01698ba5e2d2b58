-- Ops and Python lines that ran on the CPU in idle gaps.

INCLUDE PERFETTO MODULE tpt.track;

INCLUDE PERFETTO MODULE tpt.gap_part;

INCLUDE PERFETTO MODULE tpt.python_name;

-- Ops and Python functions that take time, by their threads.
CREATE PERFETTO TABLE _tpt_cpu_slice AS
SELECT
  s.ts,
  s.id,
  tpt_track.upid,
  tpt_track_key!(tpt_track.tid, tpt_track.track_key, s.arg_set_id) AS track_key
FROM slice AS s
CROSS JOIN tpt_track USING (track_id)
WHERE
  s.category IN ('cpu_op', 'Operator', 'python_function') AND s.dur > 0
ORDER BY s.ts;

-- The longest stretch of CPU time in each gap, with its middle, and the middle before that one on
-- the same thread.
CREATE PERFETTO TABLE _tpt_gap_middle AS
WITH
  stretch AS (
    SELECT
      gap_id,
      launch_upid AS upid,
      launch_track_key AS track_key,
      ts,
      ts_end,
      (ts + ts_end) / 2 AS middle
    FROM tpt_gap_cpu
    WHERE
      ts_end > ts
  )
SELECT
  *,
  COALESCE(
    LAG(middle) OVER (PARTITION BY upid, track_key ORDER BY middle, gap_id), -1 << 62
  ) AS since
FROM stretch
ORDER BY gap_id;

-- The slice that began last before each middle. TraceProcessor numbers slices in the order of their
-- starts, so that it is the latest that began since the middle before, or that middle's own.
CREATE PERFETTO TABLE _tpt_gap_latest AS
WITH
  began AS MATERIALIZED (
    SELECT gap.gap_id, MAX(it.id) AS id
    FROM _tpt_gap_middle AS gap
    LEFT JOIN _tpt_cpu_slice AS it
      ON it.ts > gap.since
      AND it.ts <= gap.middle
      AND it.upid = gap.upid
      AND it.track_key = gap.track_key
    GROUP BY gap.gap_id
  )
SELECT
  gap_id,
  -- half of the stretch, and its end were it at its start
  (ts_end - ts + 1) / 2 AS half_ns,
  ts + (ts_end - ts + 1) / 2 AS half_end,
  MAX(id) OVER (
    PARTITION BY upid, track_key
    ORDER BY middle, gap_id
    ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
  ) AS id
FROM _tpt_gap_middle
CROSS JOIN began USING (gap_id)
ORDER BY gap_id;

-- The lines of Python.
CREATE PERFETTO TABLE _tpt_line_slice AS
SELECT id
FROM slice
WHERE
  category = 'python_function' AND tpt_is_python_line!(name)
ORDER BY id;

-- The op and the Python line that fill the longest stretch of CPU time in a gap: the innermost ones
-- that run for at least half of it. They run in its middle, so that they are the slice that began
-- last before the middle, or one around it: when they begin, half of the stretch is left. Gaps
-- without both have no row here.
CREATE PERFETTO TABLE tpt_gap_op(
  -- Number of the gap.
  gap_id LONG,
  -- Name of the op; NULL where there is none.
  cpu_op STRING,
  -- File, line and function, as the profiler writes them; NULL without Python stacks.
  python_line STRING
) AS
WITH
  found AS (
    SELECT
      gap.gap_id,
      -- a slice has a higher number than those around it
      MAX(IIF(it.category IN ('cpu_op', 'Operator'), it.id, NULL)) AS op_id,
      MAX(line.id) AS line_id
    FROM _tpt_gap_latest AS gap
    CROSS JOIN ANCESTOR_SLICE(gap.id) AS it
    LEFT JOIN _tpt_line_slice AS line ON line.id = it.id
    WHERE
      it.dur >= gap.half_ns AND it.ts + it.dur >= gap.half_end
    GROUP BY gap.gap_id
    UNION ALL
    SELECT gap.gap_id, IIF(it.category IN ('cpu_op', 'Operator'), it.id, NULL), line.id
    FROM _tpt_gap_latest AS gap
    CROSS JOIN slice AS it USING (id)
    LEFT JOIN _tpt_line_slice AS line ON line.id = it.id
    WHERE
      it.dur >= gap.half_ns AND it.ts + it.dur >= gap.half_end
  ),
  innermost AS (
    SELECT gap_id, MAX(op_id) AS op_id, MAX(line_id) AS line_id FROM found GROUP BY gap_id
  )
SELECT innermost.gap_id, op.name AS cpu_op, line.name AS python_line
FROM innermost
LEFT JOIN slice AS op ON op.id = innermost.op_id
LEFT JOIN slice AS line ON line.id = innermost.line_id
WHERE
  innermost.op_id IS NOT NULL OR innermost.line_id IS NOT NULL
ORDER BY innermost.gap_id;
