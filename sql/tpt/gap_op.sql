-- Ops and Python lines that ran on the CPU in idle gaps.

INCLUDE PERFETTO MODULE tpt.row;

INCLUDE PERFETTO MODULE tpt.gap_part;

-- The op and the Python line that fill the longest stretch of CPU time in a gap: the innermost ones
-- that run for at least half of it. They run in its middle, so that they are the slice that began
-- last before the middle, or one around it. Gaps without both have no row here.
CREATE PERFETTO TABLE tpt_gap_op(
  -- Number of the gap.
  gap_id LONG,
  -- Name of the op; NULL where there is none.
  cpu_op STRING,
  -- File, line and function, as the profiler writes them; NULL without Python stacks.
  python_line STRING
) AS
WITH RECURSIVE
  point AS (
    SELECT
      tpt_row.upid,
      tpt_row_id!(tpt_row.tid, tpt_row.row_id, s.arg_set_id) AS row_id,
      s.ts AS at,
      s.id,
      NULL AS gap_id
    FROM slice AS s
    CROSS JOIN tpt_row USING (track_id)
    WHERE
      s.category IN ('cpu_op', 'Operator', 'python_function') AND s.dur > 0
    UNION ALL
    SELECT launch_upid, launch_row, (ts + ts_end) / 2, NULL, gap_id
    FROM tpt_gap_cpu
    WHERE
      ts_end > ts
  ),
  latest AS (
    SELECT
      gap_id,
      -- TraceProcessor numbers slices in the order of their starts
      MAX(id) OVER (
        PARTITION BY upid, row_id
        ORDER BY at, gap_id IS NOT NULL
        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
      ) AS id
    FROM point
  ),
  -- from the slice that began last to those around it, until both are found
  around(gap_id, ts, ts_end, id, cpu_op, python_line) AS (
    SELECT latest.gap_id, cpu.ts, cpu.ts_end, latest.id, NULL, NULL
    FROM latest
    CROSS JOIN tpt_gap_cpu AS cpu USING (gap_id)
    WHERE
      latest.id IS NOT NULL
    UNION ALL
    SELECT
      around.gap_id,
      around.ts,
      around.ts_end,
      slice.parent_id,
      COALESCE(
        around.cpu_op,
        IIF(
          slice.category IN ('cpu_op', 'Operator')
          AND 2 * (MIN(slice.ts + slice.dur, around.ts_end) - MAX(slice.ts, around.ts))
          >= around.ts_end - around.ts,
          slice.name,
          NULL
        )
      ),
      COALESCE(
        around.python_line,
        IIF(
          slice.category = 'python_function'
          AND slice.name GLOB '*([0-9]*): *'
          AND 2 * (MIN(slice.ts + slice.dur, around.ts_end) - MAX(slice.ts, around.ts))
          >= around.ts_end - around.ts,
          slice.name,
          NULL
        )
      )
    FROM around
    CROSS JOIN slice ON slice.id = around.id
    WHERE
      around.cpu_op IS NULL OR around.python_line IS NULL
  )
SELECT gap_id, MAX(cpu_op) AS cpu_op, MAX(python_line) AS python_line
FROM around
GROUP BY gap_id
HAVING
  MAX(cpu_op) IS NOT NULL OR MAX(python_line) IS NOT NULL
ORDER BY gap_id;
