-- The step of iterations of inference engines: for queries that are asked about some steps.

INCLUDE PERFETTO MODULE tpt.iteration;

INCLUDE PERFETTO MODULE tpt.step;

-- The step in which each iteration began: on the CPU, or of an annotation of the GPU on the GPU.
CREATE PERFETTO TABLE tpt_step_of_iteration(
  -- The iteration, as in `tpt_iteration`.
  seq LONG,
  -- The number of the step on its rank; NULL: of none.
  number LONG
) AS
WITH
  moment AS (
    SELECT seq AS id, rank, ts FROM tpt_iteration WHERE NOT on_gpu
  )
SELECT id AS seq, number FROM tpt_step_at!(moment)
UNION ALL
SELECT it.seq, step.number
FROM tpt_iteration AS it
LEFT JOIN tpt_step AS step ON step.id = it.id
WHERE
  it.on_gpu
ORDER BY seq;

-- The step that launched the work of iterations, and of none.
CREATE PERFETTO TABLE tpt_step_of_iteration_work(
  -- Id of the work's slice.
  id JOINID(slice.id),
  -- The number of the step on its rank; NULL: of none.
  number LONG
) AS
SELECT id, number FROM tpt_step_work
ORDER BY id;
