-- The compute beside each part of a collective, and the step in which it starts.

INCLUDE PERFETTO MODULE tpt.process_rank;

INCLUDE PERFETTO MODULE tpt.row;

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

-- The step in which each part of a collective starts: the ProfilerStep that the GPU shows on its
-- row, else the one of the rank's CPU. Parts outside of steps have no row here.
CREATE PERFETTO TABLE tpt_collective_step(
  -- Id of the part's slice.
  id JOINID(slice.id),
  -- Name of the step.
  name STRING,
  -- The process of the GPU that shows the step on the part's row; -1: the step is one of the CPU.
  upid JOINID(process.id)
) AS
WITH
  step AS MATERIALIZED (
    SELECT
      ROW_NUMBER() OVER (ORDER BY s.ts, s.id) AS seq,
      s.name,
      s.ts,
      s.ts + s.dur AS ts_end,
      tpt_process_rank.rank,
      tpt_row.upid,
      tpt_row_id!(tpt_row.tid, tpt_row.row_id, s.arg_set_id) AS row_id,
      s.category = 'gpu_user_annotation' AS is_on_gpu
    FROM slice AS s
    JOIN tpt_row USING (track_id)
    LEFT JOIN tpt_process_rank USING (upid)
    WHERE
      s.category IN ('user_annotation', 'gpu_user_annotation') AND s.name GLOB 'ProfilerStep*'
  ),
  point AS (
    SELECT
      seq,
      NULL AS id,
      ts AS at,
      rank,
      IIF(is_on_gpu, upid, -1) AS upid,
      IIF(is_on_gpu, row_id, -1) AS row_id
    FROM step
    UNION ALL
    SELECT NULL, id, ts, rank, upid, row_id FROM tpt_collective_part
    UNION ALL
    SELECT NULL, id, ts, rank, -1, -1 FROM tpt_collective_part
  ),
  latest AS (
    SELECT
      id,
      at,
      upid,
      MAX(seq) OVER (
        PARTITION BY rank, upid, row_id
        ORDER BY at, id IS NOT NULL
        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
      ) AS seq
    FROM point
  )
-- the name is from the row of the maximum, as always in SQLite: the GPU's before the CPU's
SELECT latest.id, step.name, MAX(latest.upid) AS upid
FROM latest
JOIN step USING (seq)
WHERE
  latest.id IS NOT NULL AND latest.at < step.ts_end
GROUP BY latest.id
ORDER BY latest.id;
