-- The compute beside each part of a collective, and the step that launched it.

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
    SELECT it.upid, it.device, it.turn, it.ts_end
    FROM tpt_kernel_turn AS it
    JOIN used USING (upid, device)
    WHERE
      it.kind = 'compute' AND (it.stream != used.first_stream OR it.stream != used.last_stream)
  ),
  point AS (
    SELECT upid, device, turn AS at, 1 AS step, NULL AS id FROM compute
    UNION ALL
    SELECT upid, device, ts_end, -1, NULL FROM compute
    UNION ALL
    SELECT upid, device, arrival, 0, id FROM tpt_collective_part WHERE device IS NOT NULL
    UNION ALL
    SELECT upid, device, ts_end, 0, id FROM tpt_collective_part WHERE device IS NOT NULL
  ),
  piece AS (
    SELECT
      id,
      upid,
      device,
      at,
      at - LAG(at) OVER device_order AS passed,
      SUM(step) OVER (
        device_order
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
      ) AS running
    FROM point
    WINDOW device_order AS (PARTITION BY upid, device ORDER BY at)
  ),
  total AS (
    SELECT
      id,
      SUM(IIF(running > 0, passed, 0)) OVER (
        PARTITION BY upid, device
        ORDER BY at
        RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
      ) AS compute_ns
    FROM piece
  )
SELECT id, MAX(compute_ns) - MIN(compute_ns) AS compute_ns
FROM total
WHERE
  id IS NOT NULL
GROUP BY id
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
  point AS (
    SELECT rank, ts AS at, seq, NULL AS id FROM tpt_step
    UNION ALL
    SELECT rank, ts, NULL, id FROM tpt_collective_part WHERE device IS NULL
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
  ),
  found AS (
    SELECT part.id, work.seq
    FROM tpt_collective_part AS part
    CROSS JOIN tpt_step_work AS work USING (id)
    UNION ALL
    SELECT latest.id, latest.seq
    FROM latest
    CROSS JOIN tpt_step AS step USING (seq)
    WHERE
      latest.id IS NOT NULL AND latest.at < step.ts_end
  )
SELECT found.id, step.name, step.number
FROM found
CROSS JOIN tpt_step AS step USING (seq)
ORDER BY found.id;
