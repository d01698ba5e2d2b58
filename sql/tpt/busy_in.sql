-- How long work ran within given times.

-- For each interval how long any work of its key ran. Columns: id, and busy_ns.
CREATE PERFETTO MACRO tpt_busy_in(
  -- The work: key, such as a rank, never NULL, ts, ts_end.
  work TableOrSubquery,
  -- The intervals: id, key, ts, ts_end. They may overlap.
  intervals TableOrSubquery
)
RETURNS TableOrSubquery AS
(
  WITH
    point AS (
      SELECT key, ts AS at, 1 AS step, NULL AS id FROM $work
      UNION ALL
      SELECT key, ts_end, -1, NULL FROM $work
      UNION ALL
      SELECT key, ts, 0, id FROM $intervals
      UNION ALL
      SELECT key, ts_end, 0, id FROM $intervals
    ),
    piece AS (
      SELECT
        key,
        at,
        id,
        at - LAG(at) OVER in_key AS passed,
        SUM(step) OVER (in_key ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS running
      FROM point
      WINDOW in_key AS (PARTITION BY key ORDER BY at)
    ),
    total AS (
      SELECT
        id,
        SUM(IIF(running > 0, passed, 0)) OVER (
          PARTITION BY key ORDER BY at RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS busy_ns
      FROM piece
    )
  SELECT id, MAX(busy_ns) - MIN(busy_ns) AS busy_ns
  FROM total
  WHERE
    id IS NOT NULL
  GROUP BY id
);
