-- The step in which time of devices, gaps, ops and work lie: for queries about some steps.

INCLUDE PERFETTO MODULE tpt.gap;

INCLUDE PERFETTO MODULE tpt.gpu_slice;

INCLUDE PERFETTO MODULE tpt.gpu_state;

INCLUDE PERFETTO MODULE tpt.op;

INCLUDE PERFETTO MODULE tpt.step;

INCLUDE PERFETTO MODULE tpt.step_window;

-- The step in whose window each of some moments of a device lies. A window ends when work ends, so
-- that no piece of `tpt_gpu_state` and no gap lies in two.
CREATE PERFETTO MACRO _tpt_window_of(
  -- The moments: upid, device, ts, and id.
  moments TableOrSubquery
)
-- id and number: that of the step on its rank, NULL: of none.
RETURNS TableOrSubquery AS
(
  WITH
    point AS (
      SELECT upid, device, ts AS at, window_id, NULL AS id FROM tpt_step_window
      UNION ALL
      SELECT upid, device, ts, NULL, id FROM $moments
    ),
    latest AS (
      SELECT
        id,
        MAX(window_id) OVER (
          PARTITION BY upid, device
          ORDER BY at, id IS NOT NULL
          ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS window_id
      FROM point
    )
  SELECT latest.id, step.number
  FROM latest
  CROSS JOIN tpt_step_window AS win USING (window_id)
  LEFT JOIN tpt_step AS step USING (seq)
  WHERE
    latest.id IS NOT NULL
);

-- The step of each piece of the time of devices.
CREATE PERFETTO TABLE tpt_step_of_state(
  -- The piece, as in `tpt_gpu_state`.
  state_id LONG,
  -- The number of the step on its rank; NULL: of none.
  number LONG
) AS
WITH
  moment AS (
    SELECT upid, device, ts, state_id AS id FROM tpt_gpu_state
  )
SELECT id AS state_id, number
FROM _tpt_window_of!(moment)
ORDER BY state_id;

-- The step of each gap.
CREATE PERFETTO TABLE tpt_step_of_gap(
  -- The gap, as in `tpt_gap`.
  gap_id LONG,
  -- The number of the step on its rank; NULL: of none.
  number LONG
) AS
WITH
  moment AS (
    SELECT work.upid, work.device, gap.ts, gap.gap_id AS id
    FROM tpt_gap AS gap
    CROSS JOIN tpt_gpu_slice AS work ON work.id = gap.after_id
  )
SELECT id AS gap_id, number
FROM _tpt_window_of!(moment)
ORDER BY gap_id;

-- The step in which each of some moments of the CPU lies: of those that are open on several threads
-- the one that began last.
CREATE PERFETTO MACRO tpt_step_at(
  -- The moments: id, rank, ts.
  moments TableOrSubquery
)
-- id and number: that of the step on its rank, NULL: of none.
RETURNS TableOrSubquery AS
(
  WITH
    point AS (
      SELECT rank, ts AS at, seq, NULL AS id FROM tpt_step WHERE NOT on_gpu
      UNION ALL
      SELECT rank, ts, NULL, id FROM $moments
    ),
    latest AS (
      SELECT
        id,
        at,
        MAX(seq) OVER (
          PARTITION BY rank
          ORDER BY at, id IS NOT NULL
          ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS seq
      FROM point
    )
  SELECT latest.id, step.number
  FROM latest
  LEFT JOIN tpt_step AS step ON step.seq = latest.seq AND latest.at < step.ts_end
  WHERE
    latest.id IS NOT NULL
);

-- The step that launched each piece of GPU work.
CREATE PERFETTO TABLE tpt_step_of_work(
  -- Id of the work's slice.
  id JOINID(slice.id),
  -- The number of the step on its rank; NULL: of none.
  number LONG
) AS
SELECT id, number FROM tpt_step_work
ORDER BY id;

-- The step in which each op, and each launch call, began.
CREATE PERFETTO TABLE tpt_step_of_op(
  -- The op, as in `tpt_op`.
  seq LONG,
  -- The number of the step on its rank; NULL: of none.
  number LONG
) AS
WITH
  moment AS (
    SELECT seq AS id, rank, ts FROM tpt_op
  )
SELECT id AS seq, number
FROM tpt_step_at!(moment)
ORDER BY seq;
