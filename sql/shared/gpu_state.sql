-- What each device is doing, piece by piece: how many kernels, collectives and copies run from `ts`
-- on for `dur` ns. Pieces of one device touch and do not overlap. Where all three are 0 it is a
-- gap, or, of 0 ns, the end.
CREATE OR REPLACE PERFETTO TABLE tpt_gpu_state AS
WITH
  edge AS (
    SELECT upid, device, ts AS at, 1 AS step, kind FROM tpt_gpu_slice
    UNION ALL
    SELECT upid, device, ts_end, -1, kind FROM tpt_gpu_slice
  ),
  change AS (
    SELECT
      upid,
      device,
      at,
      SUM(IIF(kind = 'compute', step, 0)) AS compute,
      SUM(IIF(kind = 'collective', step, 0)) AS collective,
      SUM(IIF(kind = 'copy', step, 0)) AS copy
    FROM edge
    GROUP BY upid, device, at
  ),
  state AS (
    SELECT
      upid,
      device,
      at AS ts,
      COALESCE(LEAD(at) OVER device_order - at, 0) AS dur,
      SUM(compute) OVER device_order AS compute,
      SUM(collective) OVER device_order AS collective,
      SUM(copy) OVER device_order AS copy
    FROM change
    WINDOW device_order AS (PARTITION BY upid, device ORDER BY at)
  )
SELECT tpt_process_rank.rank, state.*
FROM state
LEFT JOIN tpt_process_rank USING (upid)
ORDER BY state.upid, state.device, state.ts;
