-- The time of each device, by the number of kernels, collectives and copies that run.

INCLUDE PERFETTO MODULE tpt.process_rank;

INCLUDE PERFETTO MODULE tpt.gpu_slice;

INCLUDE PERFETTO MODULE tpt.kernel_turn;

-- Pieces of time in which the same number of kernels, collectives and copies runs on a device.
-- A kernel counts from its turn: one that starts early under PDL waits for the one ahead of it, and
-- until then the time is that one's.
-- Pieces of one device touch and do not overlap. Where all three are 0 it is a gap, or, of 0 ns,
-- the end.
CREATE PERFETTO TABLE tpt_gpu_state(
  -- Number of the piece.
  state_id LONG,
  -- Rank; NULL in the trace of one rank.
  rank LONG,
  -- The process that the device's rows belong to.
  upid JOINID(process.id),
  -- Device.
  device LONG,
  -- Start of the piece, ns.
  ts TIMESTAMP,
  -- Its duration, ns.
  dur DURATION,
  -- How many kernels run that are no collectives.
  compute LONG,
  -- How many collectives run.
  collective LONG,
  -- How many copies and memsets run.
  copy LONG
) AS
WITH
  running AS (
    SELECT upid, device, turn AS ts, ts_end, kind FROM tpt_kernel_turn
    UNION ALL
    SELECT upid, device, ts, ts_end, kind FROM tpt_gpu_slice WHERE kind = 'copy'
  ),
  edge AS (
    SELECT upid, device, ts AS at, 1 AS step, kind FROM running
    UNION ALL
    SELECT upid, device, ts_end, -1, kind FROM running
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
SELECT
  ROW_NUMBER() OVER (ORDER BY state.upid, state.device, state.ts) AS state_id,
  tpt_process_rank.rank,
  state.*
FROM state
LEFT JOIN tpt_process_rank USING (upid)
ORDER BY state_id;
