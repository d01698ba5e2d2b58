-- The step in which calls of modules begin: for queries that are asked about some steps.

INCLUDE PERFETTO MODULE tpt.module;

INCLUDE PERFETTO MODULE tpt.step;

-- The step in which each call of a module began.
CREATE PERFETTO TABLE tpt_step_of_module(
  -- The call, as in `tpt_module_call`.
  seq LONG,
  -- The number of the step on its rank; NULL: of none.
  number LONG
) AS
WITH
  moment AS (
    SELECT seq AS id, rank, ts FROM tpt_module_call
  )
SELECT id AS seq, number
FROM tpt_step_at!(moment)
ORDER BY seq;

-- The step that launched the work of modules, and of none.
CREATE PERFETTO TABLE tpt_step_of_module_work(
  -- Id of the work's slice.
  id JOINID(slice.id),
  -- The number of the step on its rank; NULL: of none.
  number LONG
) AS
SELECT id, number FROM tpt_step_work
ORDER BY id;
