-- When devices do nothing but communicate.

INCLUDE PERFETTO MODULE tpt.gpu_state;

-- Pieces of time in which a device is in a collective and computes nothing. Copies may run beside.
-- Those of one device do not overlap.
CREATE PERFETTO TABLE tpt_gpu_exposed(
  -- The process that the device's tracks belong to.
  upid JOINID(process.id),
  -- Device.
  device LONG,
  -- Start of the piece, ns.
  ts TIMESTAMP,
  -- Its end, ns.
  ts_end TIMESTAMP
) AS
SELECT upid, device, ts, ts + dur AS ts_end
FROM tpt_gpu_state
WHERE
  compute = 0 AND collective > 0
ORDER BY state_id;
