-- What runs on each device, from when to when.

INCLUDE PERFETTO MODULE tpt.gpu_slice;

INCLUDE PERFETTO MODULE tpt.kernel_turn;

-- Kernels from their turn on, and copies.
CREATE PERFETTO TABLE tpt_gpu_running(
  -- Id of its slice.
  id JOINID(slice.id),
  -- The process that the device's tracks belong to.
  upid JOINID(process.id),
  -- Device.
  device LONG,
  -- Its start, ns; of a kernel its turn.
  ts TIMESTAMP,
  -- Its end, ns.
  ts_end TIMESTAMP,
  -- compute, collective, or copy (a memset too).
  kind STRING
) AS
SELECT id, upid, device, turn AS ts, ts_end, kind FROM tpt_kernel_turn
UNION ALL
SELECT id, upid, device, ts, ts_end, kind FROM tpt_gpu_slice WHERE kind = 'copy'
ORDER BY id;
