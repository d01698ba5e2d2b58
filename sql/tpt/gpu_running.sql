-- What runs on each device, from when to when, with the waits of collectives for other ranks.

INCLUDE PERFETTO MODULE tpt.gpu_slice;

INCLUDE PERFETTO MODULE tpt.kernel_turn;

INCLUDE PERFETTO MODULE tpt.collective.approach;

-- Kernels from their turn on, copies, and the part of each collective in which it waits.
CREATE PERFETTO TABLE tpt_gpu_running(
  -- The process that the device's tracks belong to.
  upid JOINID(process.id),
  -- Device.
  device LONG,
  -- Its start, ns.
  ts TIMESTAMP,
  -- Its end, ns.
  ts_end TIMESTAMP,
  -- compute, collective, copy (a memset too), or wait: the collective waits for a rank.
  kind STRING
) AS
SELECT upid, device, turn AS ts, ts_end, kind FROM tpt_kernel_turn
UNION ALL
SELECT upid, device, ts, ts_end, kind FROM tpt_gpu_slice WHERE kind = 'copy'
UNION ALL
-- a collective waits until the last rank has come, or ends before by a clock that is ahead
SELECT
  part.upid,
  part.device,
  part.arrival AS ts,
  MIN(part.arrival + part.wait_ns, work.ts_end) AS ts_end,
  'wait' AS kind
FROM tpt_collective_approach AS part
CROSS JOIN tpt_gpu_slice AS work USING (id)
WHERE
  part.is_sure AND part.wait_ns > 0;
