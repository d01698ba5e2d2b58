-- The peaks of PyTorch's allocators, and what was live then.

INCLUDE PERFETTO MODULE tpt.memory_event;

-- Each device of each process, with the first event after which most was allocated.
CREATE PERFETTO TABLE tpt_memory_peak(
  -- Its rank; NULL in the trace of one rank.
  rank LONG,
  -- The process.
  upid JOINID(process.id),
  -- As in `tpt_memory_event`.
  device_type STRING,
  -- Index of the device; NULL for CPU.
  device LONG,
  -- Number of that event, as in `tpt_memory_event`.
  number LONG,
  -- When it was, ns.
  ts TIMESTAMP,
  -- Allocated then, bytes.
  bytes LONG,
  -- Most that the allocator held of the device's memory, at any time, bytes.
  reserved_bytes LONG,
  -- Allocated before the first event, bytes.
  start_bytes LONG,
  -- Allocated after the last event, bytes.
  end_bytes LONG,
  -- How many allocations there are.
  allocations LONG,
  -- How many frees.
  frees LONG,
  -- Frees whose allocation is not in the trace.
  unpaired_frees LONG,
  -- Allocations whose free is not in the trace.
  unfreed LONG,
  -- Events before which others are missing.
  unexplained LONG
) AS
WITH
  ordered AS (
    SELECT
      *,
      ROW_NUMBER() OVER (PARTITION BY upid, device_type, device ORDER BY allocated DESC, number)
        AS place,
      ROW_NUMBER() OVER (PARTITION BY upid, device_type, device ORDER BY number DESC) AS from_last
    FROM tpt_memory_event
  )
SELECT
  rank,
  upid,
  device_type,
  device,
  MAX(IIF(place = 1, number, NULL)) AS number,
  MAX(IIF(place = 1, ts, NULL)) AS ts,
  MAX(allocated) AS bytes,
  MAX(reserved) AS reserved_bytes,
  MAX(IIF(number = 1, allocated - bytes, NULL)) AS start_bytes,
  MAX(IIF(from_last = 1, allocated, NULL)) AS end_bytes,
  SUM(bytes > 0) AS allocations,
  SUM(bytes < 0) AS frees,
  SUM(bytes < 0 AND partner IS NULL) AS unpaired_frees,
  SUM(bytes > 0 AND partner IS NULL) AS unfreed,
  SUM(COALESCE(unexplained, 0) != 0) AS unexplained
FROM ordered
GROUP BY upid, device_type, device
ORDER BY upid, device_type, device;

-- The blocks that were allocated in the trace and live at the peak of their device.
CREATE PERFETTO TABLE tpt_memory_live(
  -- Id of the allocation's slice.
  id JOINID(slice.id),
  -- When it was allocated, ns.
  ts TIMESTAMP,
  -- Its rank; NULL in the trace of one rank.
  rank LONG,
  -- The process.
  upid JOINID(process.id),
  -- As in `tpt_memory_event`.
  device_type STRING,
  -- Index of the device; NULL for CPU.
  device LONG,
  -- Its size, bytes.
  bytes LONG
) AS
WITH
  peak AS MATERIALIZED (
    SELECT upid, device_type, device, number FROM tpt_memory_peak
  )
SELECT event.id, event.ts, event.rank, event.upid, event.device_type, event.device, event.bytes
FROM tpt_memory_event AS event
CROSS JOIN peak
  ON peak.upid = event.upid
  AND peak.device_type = event.device_type
  AND peak.device IS event.device
WHERE
  event.bytes > 0
  AND event.number <= peak.number
  AND COALESCE(event.partner > peak.number, TRUE)
ORDER BY event.id;
