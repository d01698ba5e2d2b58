-- Memory: the peak of each device, and what was live then, by the op and line that allocated it.
--
-- Of PyTorch's allocators, as profile_memory=True records them: memory that libraries take by
-- themselves (NCCL, cuBLAS workspaces of their own, other processes) is in none. What was allocated
-- before the profile began, and never freed in it, is known by its sum only.
--   bytes of part all = those of part live + those of part before
-- Of some steps it is the peak between their first and last event; blocks of earlier steps are live
-- as well.
--
-- Grain: one row per rank and device for its peak, one per op, Python line and size of the blocks
--   that were allocated in the profile and live at the peak, and one for those allocated before.
-- Scope: rank
-- Needs: cpu_instant_event, cpu_op, python_function
-- Set: rank RANGE  only these ranks
-- Set: steps RANGE  only the peak within these steps, by their number in steps (with
--   tpt.step_of_memory needing kernel, gpu_memcpy, gpu_memset, launch_calls, user_annotation,
--   gpu_user_annotation)
-- Shown first: rank, device_type, device, part, bytes, blocks, cpu_op, python_line,
--   reserved_bytes, unfreed, unexplained
-- Paste: what `tp-tools sql memory` prints runs in the Query tab of any Perfetto UI.

INCLUDE PERFETTO MODULE tpt.code_around;

INCLUDE PERFETTO MODULE tpt.code_slice_table;

INCLUDE PERFETTO MODULE tpt.memory_event;

INCLUDE PERFETTO MODULE tpt.memory_peak;

WITH
  event AS (
    SELECT *
    FROM tpt_memory_event
    WHERE
      tpt_set_steps!((SELECT number FROM tpt_step_of_memory WHERE id = tpt_memory_event.id))
  ),
  peak AS MATERIALIZED (
    SELECT * FROM tpt_memory_peak!(event)
  ),
  block AS MATERIALIZED (
    SELECT * FROM tpt_memory_live!(peak)
  ),
  live AS MATERIALIZED (
    SELECT block.*, code.cpu_op, code.python_line
    FROM block
    LEFT JOIN tpt_code_around!(block, tpt_code_slice_table) AS code USING (id)
  ),
  by_device AS MATERIALIZED (
    SELECT upid, device_type, device, SUM(bytes) AS bytes
    FROM live
    GROUP BY upid, device_type, device
  ),
  part AS (
    SELECT
      peak.rank,
      peak.upid,
      peak.device_type,
      peak.device,
      'all' AS part,
      peak.bytes,
      NULL AS blocks,
      NULL AS block_bytes,
      NULL AS cpu_op,
      NULL AS python_line,
      peak.ts
    FROM peak
    UNION ALL
    SELECT
      rank,
      upid,
      device_type,
      device,
      'live',
      SUM(bytes),
      COUNT(*),
      bytes,
      cpu_op,
      python_line,
      MIN(ts)
    FROM live
    GROUP BY rank, upid, device_type, device, bytes, cpu_op, python_line
    UNION ALL
    SELECT
      peak.rank,
      peak.upid,
      peak.device_type,
      peak.device,
      'before',
      peak.bytes - COALESCE(by_device.bytes, 0),
      NULL,
      NULL,
      NULL,
      NULL,
      NULL
    FROM peak
    LEFT JOIN by_device
      ON by_device.upid = peak.upid
      AND by_device.device_type = peak.device_type
      AND by_device.device IS peak.device
  )
SELECT
  -- rank; NULL in the trace of one rank
  part.rank,
  -- CPU, CUDA (AMD's GPUs too), XPU, ..., else the number of PyTorch's DeviceType
  part.device_type,
  -- index of the device; NULL for CPU
  part.device,
  -- all (the device at its peak), live (blocks allocated in the profile, and live at the peak),
  -- before (blocks allocated before the profile, and live at the peak)
  part.part,
  -- allocated at the peak, bytes
  part.bytes,
  -- how many blocks; NULL for all and before, where it is not known
  part.blocks,
  -- size of each, bytes; NULL likewise
  part.block_bytes,
  -- innermost op around the allocation; NULL for all and before, and where it is in none
  part.cpu_op,
  -- innermost Python function around it that is no part of PyTorch, else the innermost, as
  -- file(line): name; NULL likewise, and without stacks
  part.python_line,
  -- when the peak was, or the first of the blocks was allocated, ns; NULL for before. Where most
  -- was allocated before the first event, that of the event
  part.ts,
  -- most that the allocator held of the device's memory, bytes; NULL but for all
  peak.reserved_bytes,
  -- allocated before its first event, bytes; NULL likewise
  peak.start_bytes,
  -- allocated after its last event, bytes; NULL likewise
  peak.end_bytes,
  -- how many allocations are in the trace; NULL likewise
  peak.allocations,
  -- how many frees; NULL likewise
  peak.frees,
  -- of these, of blocks allocated before the profile; NULL likewise
  peak.unpaired_frees,
  -- allocations whose free is not in the trace; NULL likewise
  peak.unfreed,
  -- events before which others are missing, for what is allocated changed without them: 0 where
  -- the numbers above hold to the byte; NULL likewise
  peak.unexplained
FROM part
LEFT JOIN peak
  ON part.part = 'all'
  AND peak.upid = part.upid
  AND peak.device_type = part.device_type
  AND peak.device IS part.device
WHERE
  part.rank IS NULL OR tpt_set_rank!(part.rank)
ORDER BY part.rank, part.device_type = 'CPU', part.device_type, part.device, part.upid,
  part.part = 'before', part.part, part.bytes DESC, part.ts, part.cpu_op, part.python_line;
