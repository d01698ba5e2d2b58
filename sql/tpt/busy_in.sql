-- How long the GPUs of a rank worked within given times.

INCLUDE PERFETTO MODULE tpt.gpu_slice;

-- For each interval how long any GPU of its rank ran anything. Columns: id, and busy_ns.
CREATE PERFETTO MACRO tpt_busy_in(
  -- The intervals: id, rank, NULL in the trace of one rank, ts, ts_end. They may overlap.
  intervals TableOrSubquery
)
RETURNS TableOrSubquery AS
(
  WITH
    point AS (
      SELECT COALESCE(rank, -1) AS rank, ts AS at, 1 AS step, NULL AS id FROM tpt_gpu_slice
      UNION ALL
      SELECT COALESCE(rank, -1), ts_end, -1, NULL FROM tpt_gpu_slice
      UNION ALL
      SELECT COALESCE(rank, -1), ts, 0, id FROM $intervals
      UNION ALL
      SELECT COALESCE(rank, -1), ts_end, 0, id FROM $intervals
    ),
    piece AS (
      SELECT
        rank,
        at,
        id,
        at - LAG(at) OVER rank_order AS passed,
        SUM(step) OVER (rank_order ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS running
      FROM point
      WINDOW rank_order AS (PARTITION BY rank ORDER BY at)
    ),
    total AS (
      SELECT
        id,
        SUM(IIF(running > 0, passed, 0)) OVER (
          PARTITION BY rank ORDER BY at RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS busy_ns
      FROM piece
    )
  SELECT id, MAX(busy_ns) - MIN(busy_ns) AS busy_ns
  FROM total
  WHERE
    id IS NOT NULL
  GROUP BY id
);
