-- Ops and Python lines that ran on the CPU in idle gaps.

INCLUDE PERFETTO MODULE tpt.track;

INCLUDE PERFETTO MODULE tpt.gap_part;

INCLUDE PERFETTO MODULE tpt.python_name;

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
WITH
  point AS (
    SELECT
      tpt_track.upid,
      tpt_track_key!(tpt_track.tid, tpt_track.track_key, s.arg_set_id) AS track_key,
      s.ts AS at,
      s.id,
      NULL AS gap_id
    FROM slice AS s
    CROSS JOIN tpt_track USING (track_id)
    WHERE
      s.category IN ('cpu_op', 'Operator', 'python_function') AND s.dur > 0
    UNION ALL
    SELECT launch_upid, launch_track_key, (ts + ts_end) / 2, NULL, gap_id
    FROM tpt_gap_cpu
    WHERE
      ts_end > ts
  ),
  latest AS (
    SELECT
      gap_id,
      -- TraceProcessor numbers slices in the order of their starts
      MAX(id) OVER (
        PARTITION BY upid, track_key
        ORDER BY at, gap_id IS NOT NULL
        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
      ) AS id
    FROM point
  ),
  found AS MATERIALIZED (
    SELECT gap_id, id FROM latest WHERE gap_id IS NOT NULL AND id IS NOT NULL
  ),
  -- the slice that began last, and those around it
  around AS (
    SELECT found.gap_id, slice.id, slice.depth, slice.ts, slice.ts + slice.dur AS ts_end
    FROM found
    CROSS JOIN slice USING (id)
    UNION ALL
    SELECT found.gap_id, it.id, it.depth, it.ts, it.ts + it.dur
    FROM found
    CROSS JOIN ANCESTOR_SLICE(found.id) AS it
  ),
  half AS MATERIALIZED (
    SELECT around.gap_id, around.id, around.depth
    FROM around
    CROSS JOIN tpt_gap_cpu AS cpu USING (gap_id)
    WHERE
      2 * (MIN(around.ts_end, cpu.ts_end) - MAX(around.ts, cpu.ts)) >= cpu.ts_end - cpu.ts
  ),
  -- the kind by id: to read the category slice by slice takes ten times as long
  named AS MATERIALIZED (
    SELECT id, 0 AS is_python, name
    FROM slice
    WHERE
      category IN ('cpu_op', 'Operator')
    UNION ALL
    SELECT id, 1, name
    FROM slice
    WHERE
      category = 'python_function' AND tpt_is_python_line!(name)
  ),
  -- the name is from the row of the maximum, as always in SQLite
  innermost AS (
    SELECT half.gap_id, named.is_python, named.name, MAX(half.depth) AS depth
    FROM half
    CROSS JOIN named USING (id)
    GROUP BY half.gap_id, named.is_python
  )
SELECT
  gap_id,
  MAX(IIF(is_python, NULL, name)) AS cpu_op,
  MAX(IIF(is_python, name, NULL)) AS python_line
FROM innermost
GROUP BY gap_id
ORDER BY gap_id;
