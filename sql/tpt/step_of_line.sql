-- The step in which calls of Python functions begin: for queries that are asked about some steps.

INCLUDE PERFETTO MODULE tpt.python_line;

INCLUDE PERFETTO MODULE tpt.step;

-- The step in which each call of a Python function began.
CREATE PERFETTO TABLE tpt_step_of_line(
  -- Id of its slice, as in `tpt_python_call`.
  id JOINID(slice.id),
  -- The number of the step on its rank; NULL: of none.
  number LONG
) AS
WITH
  moment AS (
    SELECT id, rank, ts FROM tpt_python_call
  )
SELECT id, number
FROM tpt_step_at!(moment)
ORDER BY id;

-- The step that launched the work of lines, and of none.
CREATE PERFETTO TABLE tpt_step_of_line_work(
  -- Id of the work's slice.
  id JOINID(slice.id),
  -- The number of the step on its rank; NULL: of none.
  number LONG
) AS
SELECT id, number FROM tpt_step_work
ORDER BY id;
