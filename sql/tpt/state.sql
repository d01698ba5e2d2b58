-- Time by the numbers of kernels, collectives and copies that run at once.

-- Starts and ends of work, for `tpt_states!`. Columns: owner, device, at, step (1 a start, -1 an
-- end), kind, and mark, which is NULL.
CREATE PERFETTO MACRO tpt_edges(
  -- The work: owner, device, ts, ts_end, and kind: compute, collective, copy, or wait.
  work TableOrSubquery
)
RETURNS TableOrSubquery AS
(
  SELECT owner, device, ts AS at, 1 AS step, kind, NULL AS mark FROM $work
  UNION ALL
  SELECT owner, device, ts_end, -1, kind, NULL FROM $work
);

-- Pieces of time in which the same number of each kind runs for an owner on a device. Those of one
-- owner and device touch and do not overlap. Columns: owner, device, ts, dur (0 for the last), mark
-- (the largest so far), and compute, collective, copy, waiting: how many of each kind run.
CREATE PERFETTO MACRO tpt_states(
  -- Starts and ends as of `tpt_edges!`, and others, of step 0, that begin a piece with a mark.
  edges TableOrSubquery
)
RETURNS TableOrSubquery AS
(
  WITH
    -- how many run, two kinds in one sum: 2^31 of one are 1 of the other
    counted AS (
      SELECT
        owner,
        device,
        at,
        LEAD(at) OVER so_far AS next,
        MAX(mark) OVER so_far AS mark,
        SUM(CASE kind WHEN 'compute' THEN step WHEN 'collective' THEN step << 31 END) OVER so_far
          AS kernels,
        SUM(CASE kind WHEN 'copy' THEN step WHEN 'wait' THEN step << 31 END) OVER so_far AS others
      FROM $edges
      WINDOW so_far AS (
        PARTITION BY owner, device ORDER BY at ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
      )
    )
  SELECT
    owner,
    device,
    at AS ts,
    COALESCE(next - at, 0) AS dur,
    mark,
    COALESCE(kernels & ((1 << 31) - 1), 0) AS compute,
    COALESCE(kernels >> 31, 0) AS collective,
    COALESCE(others & ((1 << 31) - 1), 0) AS copy,
    COALESCE(others >> 31, 0) AS waiting
  FROM counted
  -- the last of each moment counts all of it
  WHERE
    next IS NOT at
);

-- What an owner's device did from each mark to the next. Columns: owner, device, mark, ts (its
-- start) and dur, which is the sum of the others: compute_ns, kernels and no collective; hidden_ns,
-- kernels and collectives; communication_ns, a collective, no other kernel, and no wait;
-- waiting_ns, a collective that waits, and no other kernel; copy_ns, a copy alone; idle_ns.
CREATE PERFETTO MACRO tpt_time_by_mark(
  -- As for `tpt_states!`.
  edges TableOrSubquery
)
RETURNS TableOrSubquery AS
(
  SELECT
    owner,
    device,
    mark,
    MIN(ts) AS ts,
    SUM(dur) AS dur,
    SUM(IIF(compute > 0 AND collective = 0, dur, 0)) AS compute_ns,
    SUM(IIF(compute > 0 AND collective > 0, dur, 0)) AS hidden_ns,
    SUM(IIF(compute = 0 AND collective > 0 AND waiting = 0, dur, 0)) AS communication_ns,
    SUM(IIF(compute = 0 AND collective > 0 AND waiting > 0, dur, 0)) AS waiting_ns,
    SUM(IIF(compute = 0 AND collective = 0 AND copy > 0, dur, 0)) AS copy_ns,
    SUM(IIF(compute = 0 AND collective = 0 AND copy = 0, dur, 0)) AS idle_ns
  FROM tpt_states!($edges)
  GROUP BY owner, device, mark
);
