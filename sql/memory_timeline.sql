-- Memory over time: each allocation and free, with what is allocated and reserved afterwards.
--
-- Of PyTorch's allocators, as profile_memory=True records them, with the CPU's; `memory` has the
-- peaks. An allocation is paired with the free of its address where both are in the trace.
--
-- Grain: one row per allocation or free.
-- Scope: rank
-- Needs: cpu_instant_event
-- Set: rank RANGE  only these ranks
-- Set: min_bytes INT = 0  only blocks of at least so many bytes
-- Shown first: rank, device_type, device, ts, bytes, allocated_bytes, reserved_bytes, lifetime_ns
-- Paste: what `tp-tools sql memory_timeline` prints runs in the Query tab of any Perfetto UI.

INCLUDE PERFETTO MODULE tpt.memory_event;

SELECT
  -- rank; NULL in the trace of one rank
  rank,
  -- CPU, CUDA (AMD's GPUs too), XPU, ..., else the number of PyTorch's DeviceType
  device_type,
  -- index of the device; NULL for CPU
  device,
  -- when, ns
  ts,
  -- size of the block, bytes; below 0 for a free
  bytes,
  -- what is allocated on the device afterwards, bytes
  allocated AS allocated_bytes,
  -- what the allocator holds of the device's memory afterwards, bytes
  reserved AS reserved_bytes,
  -- from the allocation to the free, ns, in the row of each; NULL where the trace has one of them
  ABS(partner_ts - ts) AS lifetime_ns,
  -- id of the event's slice in this trace; in the UI (v55 and later) a link to it
  id,
  -- id of its track in this trace
  track_id
FROM tpt_memory_event
WHERE
  (rank IS NULL OR tpt_set_rank!(rank)) AND ABS(bytes) >= tpt_set_min_bytes!()
ORDER BY rank, device_type = 'CPU', device_type, device, upid, number;
