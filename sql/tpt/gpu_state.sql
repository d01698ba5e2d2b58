-- The time of each device, by the number of kernels, collectives and copies that run.

INCLUDE PERFETTO MODULE tpt.process_rank;

INCLUDE PERFETTO MODULE tpt.gpu_slice;

INCLUDE PERFETTO MODULE tpt.kernel_turn;

INCLUDE PERFETTO MODULE tpt.state;

-- The pieces of `tpt_gpu_state`.
CREATE PERFETTO TABLE _tpt_gpu_piece AS
WITH
  running AS (
    SELECT upid AS owner, device, turn AS ts, ts_end, kind FROM tpt_kernel_turn
    UNION ALL
    SELECT upid, device, ts, ts_end, kind FROM tpt_gpu_slice WHERE kind = 'copy'
  )
SELECT owner AS upid, device, ts, dur, compute, collective, copy
FROM tpt_states!((SELECT * FROM tpt_edges!(running)));

-- The same in their order: TraceProcessor sorts a table in less time than SQLite sorts rows.
CREATE PERFETTO TABLE _tpt_gpu_state AS
SELECT * FROM _tpt_gpu_piece
ORDER BY upid, device, ts;

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
  -- The process that the device's tracks belong to.
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
SELECT
  -- the number of the row: a window function that counts them costs as much as all else here
  state._auto_id AS state_id,
  tpt_process_rank.rank,
  state.upid,
  state.device,
  state.ts,
  state.dur,
  state.compute,
  state.collective,
  state.copy
FROM _tpt_gpu_state AS state
LEFT JOIN tpt_process_rank USING (upid)
ORDER BY state_id;
