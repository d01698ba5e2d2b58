-- The step in which time of devices, gaps, ops and work lie: for queries about some steps.

INCLUDE PERFETTO MODULE tpt.gap;

INCLUDE PERFETTO MODULE tpt.gpu_slice;

INCLUDE PERFETTO MODULE tpt.gpu_state;

INCLUDE PERFETTO MODULE tpt.op;

INCLUDE PERFETTO MODULE tpt.step;

INCLUDE PERFETTO MODULE tpt.step_window;

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
SELECT at.id AS state_id, step.number
FROM tpt_window_of!(moment) AS at
CROSS JOIN tpt_step_window AS win USING (window_id)
LEFT JOIN tpt_step AS step USING (seq)
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
SELECT at.id AS gap_id, step.number
FROM tpt_window_of!(moment) AS at
CROSS JOIN tpt_step_window AS win USING (window_id)
LEFT JOIN tpt_step AS step USING (seq)
ORDER BY gap_id;

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
