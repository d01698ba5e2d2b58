-- The step in which memory was allocated and freed: for queries that are asked about some steps.

INCLUDE PERFETTO MODULE tpt.memory_event;

INCLUDE PERFETTO MODULE tpt.step;

-- The step of each allocation and free.
CREATE PERFETTO TABLE tpt_step_of_memory(
  -- Id of its slice.
  id JOINID(slice.id),
  -- The number of the step on its rank; NULL: of none.
  number LONG
) AS
WITH
  moment AS (
    SELECT id, rank, ts FROM tpt_memory_event
  )
SELECT id, number
FROM tpt_step_at!(moment)
ORDER BY id;
