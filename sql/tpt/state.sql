-- Time by the numbers of kernels, collectives and copies that run at once.

-- Starts and ends of work. Columns: owner, device, at, step (1 a start, -1 an end), kind, and mark,
-- which is NULL.
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

-- How many compute or collective: 2^31 of one are 1 of the other, so that one sum counts both.
CREATE PERFETTO MACRO _tpt_kernels(
  -- 1 a start, -1 an end.
  step Expr,
  -- What starts or ends.
  kind Expr
)
RETURNS Expr AS
CASE $kind WHEN 'compute' THEN $step WHEN 'collective' THEN $step << 31 END;

-- The same for copies and waits.
CREATE PERFETTO MACRO _tpt_others(
  -- 1 a start, -1 an end.
  step Expr,
  -- What starts or ends.
  kind Expr
)
RETURNS Expr AS
CASE $kind WHEN 'copy' THEN $step WHEN 'wait' THEN $step << 31 END;

-- Pieces of time in which the same number of each kind runs for an owner on a device. Those of one
-- owner and device touch and do not overlap. Columns: owner, device, ts, dur (0 for the last), and
-- compute, collective, copy: how many of each kind run.
CREATE PERFETTO MACRO tpt_states(
  -- Starts and ends as of `tpt_edges!`.
  edges TableOrSubquery
)
RETURNS TableOrSubquery AS
(
  WITH
    -- From the last on: as many run as ends, less starts, come later. With the next moment, which
    -- is the lowest so far, all is of one frame: LEAD beside sums takes twice as long.
    counted AS (
      SELECT
        owner,
        device,
        at,
        MIN(at) OVER later AS next,
        -SUM(_tpt_kernels!(step, kind)) OVER later AS kernels,
        -SUM(_tpt_others!(step, kind)) OVER later AS others
      FROM $edges
      WINDOW later AS (
        PARTITION BY owner, device
        ORDER BY at DESC
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
      )
    )
  SELECT
    owner,
    device,
    at AS ts,
    COALESCE(next - at, 0) AS dur,
    COALESCE(kernels & ((1 << 31) - 1), 0) AS compute,
    COALESCE(kernels >> 31, 0) AS collective,
    COALESCE(others & ((1 << 31) - 1), 0) AS copy
  FROM counted
  -- one of each moment stands for all of it
  WHERE
    next IS NOT at
);

-- What an owner's device did from each mark to the next. Columns: owner, device, mark, ts (its
-- start) and dur, which is the sum of the others: compute_ns, kernels and no collective; hidden_ns,
-- kernels and collectives; communication_ns, a collective, no other kernel, and no wait;
-- waiting_ns, a collective that waits, and no other kernel; copy_ns, a copy alone; idle_ns. A mark
-- at which the next one stands, or the last end, has no row.
CREATE PERFETTO MACRO tpt_time_by_mark(
  -- Starts and ends as of `tpt_edges!`, and others, of step 0, that have a mark: the largest so far
  -- holds.
  edges TableOrSubquery
)
RETURNS TableOrSubquery AS
(
  WITH
    counted AS (
      SELECT
        owner,
        device,
        at,
        MAX(at) OVER earlier AS ts,
        MAX(mark) OVER earlier AS mark,
        SUM(_tpt_kernels!(step, kind)) OVER earlier AS kernels,
        SUM(_tpt_others!(step, kind)) OVER earlier AS others
      FROM $edges
      WINDOW earlier AS (
        PARTITION BY owner, device
        ORDER BY at
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
      )
    ),
    piece AS (
      SELECT
        owner,
        device,
        mark,
        ts,
        at - ts AS dur,
        COALESCE(kernels & ((1 << 31) - 1), 0) AS compute,
        COALESCE(kernels >> 31, 0) AS collective,
        COALESCE(others & ((1 << 31) - 1), 0) AS copy,
        COALESCE(others >> 31, 0) AS waiting
      FROM counted
      WHERE
        at > ts
    )
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
  FROM piece
  GROUP BY owner, device, mark
);
