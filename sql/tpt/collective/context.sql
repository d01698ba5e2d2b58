-- The compute beside each part of a collective, and the step that launched it.

INCLUDE PERFETTO MODULE tpt.busy_in;

INCLUDE PERFETTO MODULE tpt.kernel_turn;

INCLUDE PERFETTO MODULE tpt.step;

INCLUDE PERFETTO MODULE tpt.collective.part;

-- Compute that runs on a rank's device while it is in a collective, from its arrival to its end.
-- Time counts once, however many kernels run. Parts on the CPU have no row here.
CREATE PERFETTO TABLE tpt_collective_cover(
  -- Id of the part's slice.
  id JOINID(slice.id),
  -- How long compute ran, ns.
  compute_ns DURATION
) AS
WITH
  used AS MATERIALIZED (
    SELECT upid, device, MIN(stream) AS first_stream, MAX(stream) AS last_stream
    FROM tpt_collective_part
    WHERE
      device IS NOT NULL
    GROUP BY upid, device
  ),
  -- on the stream of the only collectives there is nothing beside them
  compute AS MATERIALIZED (
    SELECT it.upid || ' ' || it.device AS key, it.turn AS ts, it.ts_end
    FROM tpt_kernel_turn AS it
    JOIN used USING (upid, device)
    WHERE
      it.kind = 'compute' AND (it.stream != used.first_stream OR it.stream != used.last_stream)
  ),
  stay AS (
    SELECT id, upid || ' ' || device AS key, arrival AS ts, ts_end
    FROM tpt_collective_part
    WHERE
      device IS NOT NULL
  )
SELECT id, busy_ns AS compute_ns
FROM tpt_busy_in!(compute, stay)
ORDER BY id;

-- The step of each part of a collective: the one that launched its kernel, as `tpt_step_work` has
-- it; on the CPU the one in which it starts. Parts outside of steps have no row here.
CREATE PERFETTO TABLE tpt_collective_step(
  -- Id of the part's slice.
  id JOINID(slice.id),
  -- Name of the step.
  name STRING,
  -- Its number on its rank, see `tpt_step`.
  number LONG
) AS
WITH
  moment AS (
    SELECT id, rank, ts FROM tpt_collective_part WHERE device IS NULL
  ),
  found AS (
    SELECT part.id, work.seq
    FROM tpt_collective_part AS part
    CROSS JOIN tpt_step_work AS work USING (id)
    UNION ALL
    SELECT id, seq FROM tpt_step_at!(moment)
  )
SELECT found.id, step.name, step.number
FROM found
CROSS JOIN tpt_step AS step USING (seq)
ORDER BY found.id;
