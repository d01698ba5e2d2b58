-- The step in which a host synchronisation began: for queries that are asked about some steps.

INCLUDE PERFETTO MODULE tpt.step;

INCLUDE PERFETTO MODULE tpt.sync;

-- The step of each host synchronisation.
CREATE PERFETTO TABLE tpt_step_of_sync(
  -- Id of its slice, as in `tpt_sync`.
  id JOINID(slice.id),
  -- The number of the step on its rank; NULL: of none.
  number LONG
) AS
WITH
  moment AS (
    SELECT id, rank, ts FROM tpt_sync
  )
SELECT id, number
FROM tpt_step_at!(moment)
ORDER BY id;
