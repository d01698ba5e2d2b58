-- Allocations and frees of PyTorch's allocators (profile_memory=True).

INCLUDE PERFETTO MODULE tpt.arg;

INCLUDE PERFETTO MODULE tpt.process_rank;

INCLUDE PERFETTO MODULE tpt.track;

-- Each allocation and free that says how much its allocator then holds. An allocation and the next
-- event of its address on its device are a pair if that is a free.
CREATE PERFETTO TABLE tpt_memory_event(
  -- Id of its slice.
  id JOINID(slice.id),
  -- When, ns.
  ts TIMESTAMP,
  -- Its track.
  track_id JOINID(track.id),
  -- Its rank; NULL in the trace of one rank.
  rank LONG,
  -- Its process.
  upid JOINID(process.id),
  -- CPU, CUDA (AMD's GPUs too), XPU, ..., else the number of PyTorch's DeviceType.
  device_type STRING,
  -- Index of the device; NULL for CPU.
  device LONG,
  -- Its number among the events of its process and device, from 1 on.
  number LONG,
  -- Address of the block.
  address LONG,
  -- Size of the block; below 0 for frees, bytes.
  bytes LONG,
  -- What is allocated afterwards, bytes.
  allocated LONG,
  -- What the allocator holds of the device's memory afterwards, bytes.
  reserved LONG,
  -- The number of the other one of its pair; NULL for an allocation whose free, or a free whose
  -- allocation is not in the trace.
  partner LONG,
  -- When the other one was, ns; NULL likewise.
  partner_ts TIMESTAMP,
  -- allocated, less what was allocated before and bytes: not 0 where events are missing, bytes;
  -- NULL for the first.
  unexplained LONG
) AS
WITH
  event AS (
    SELECT
      s.id,
      s.ts,
      s.track_id,
      tpt_process_rank.rank,
      tpt_track.upid,
      tpt_int_arg!(s.arg_set_id, 'Device Type') AS type,
      tpt_int_arg!(s.arg_set_id, 'Device Id') AS device,
      tpt_int_arg!(s.arg_set_id, 'Addr') AS address,
      tpt_int_arg!(s.arg_set_id, 'Bytes') AS bytes,
      tpt_int_arg!(s.arg_set_id, 'Total Allocated') AS allocated,
      tpt_int_arg!(s.arg_set_id, 'Total Reserved') AS reserved
    FROM slice AS s
    CROSS JOIN tpt_track USING (track_id)
    LEFT JOIN tpt_process_rank USING (upid)
    WHERE
      s.category = 'cpu_instant_event' AND s.name = '[memory]'
  ),
  numbered AS MATERIALIZED (
    SELECT
      *,
      ROW_NUMBER() OVER device_order AS number,
      allocated - bytes - LAG(allocated) OVER device_order AS unexplained
    FROM event
    WHERE
      allocated IS NOT NULL AND bytes IS NOT NULL
    WINDOW device_order AS (PARTITION BY upid, type, device ORDER BY ts, id)
  ),
  paired AS (
    SELECT
      *,
      LEAD(bytes) OVER address_order AS next_bytes,
      LEAD(number) OVER address_order AS next_number,
      LEAD(ts) OVER address_order AS next_ts,
      LAG(bytes) OVER address_order AS last_bytes,
      LAG(number) OVER address_order AS last_number,
      LAG(ts) OVER address_order AS last_ts
    FROM numbered
    WINDOW address_order AS (PARTITION BY upid, type, device, address ORDER BY number)
  )
SELECT
  id,
  ts,
  track_id,
  rank,
  upid,
  -- c10/core/DeviceType.h
  CASE type
    WHEN 0 THEN 'CPU'
    WHEN 1 THEN 'CUDA'
    WHEN 6 THEN 'HIP'
    WHEN 12 THEN 'XPU'
    WHEN 13 THEN 'MPS'
    WHEN 15 THEN 'HPU'
    WHEN 19 THEN 'MTIA'
    ELSE CAST(type AS TEXT)
  END AS device_type,
  IIF(type = 0, NULL, device) AS device,
  number,
  address,
  bytes,
  allocated,
  reserved,
  CASE
    WHEN address IS NULL THEN NULL
    WHEN bytes > 0 AND next_bytes < 0 THEN next_number
    WHEN bytes < 0 AND last_bytes > 0 THEN last_number
  END AS partner,
  CASE
    WHEN address IS NULL THEN NULL
    WHEN bytes > 0 AND next_bytes < 0 THEN next_ts
    WHEN bytes < 0 AND last_bytes > 0 THEN last_ts
  END AS partner_ts,
  unexplained
FROM paired
ORDER BY id;
