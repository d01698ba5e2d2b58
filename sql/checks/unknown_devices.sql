-- Events of devices that the library does not know, in a trace without GPU work that it knows.
--
-- Asked by `query` where a question about a rank has no rows. Names are those of the activity types
-- of Kineto (libkineto, ActivityType.cpp) and of its forks for other devices; Ascend's profiler
-- writes no categories, but names the process.
--
-- Grain: one row per category, or per process without categories.
-- Scope: rank
WITH
  named AS (
    SELECT
      CASE
        WHEN s.category GLOB 'mtia_*' OR s.category GLOB 'hpu_*' OR s.category GLOB 'glow_*'
          OR s.category GLOB 'privateuse1_*' OR s.category GLOB 'xpu_*'
          OR s.category GLOB 'mlu_*' OR s.category GLOB '[Gg][Cc][Uu]_*'
          OR s.category GLOB 'musa_*' OR s.category GLOB 'tpu_*'
          OR s.category GLOB '*[Nn][Pp][Uu]*' THEN s.category
        WHEN process.name GLOB '*Ascend*' OR process.name GLOB '*NPU*' OR process.name = 'CANN'
          THEN process.name
      END AS device
    FROM slice AS s
    LEFT JOIN thread_track ON thread_track.id = s.track_id
    LEFT JOIN thread USING (utid)
    LEFT JOIN process_track ON process_track.id = s.track_id
    LEFT JOIN process ON process.upid = COALESCE(thread.upid, process_track.upid)
  )
SELECT
  -- the category, or the name of the process
  device,
  -- how many events
  COUNT(*) AS events
FROM named
WHERE
  device IS NOT NULL
  AND NOT EXISTS (
    SELECT 1
    FROM slice
    WHERE
      category IN ('kernel', 'gpu_memcpy', 'gpu_memset', 'cuda_graph', 'Kernel', 'Memcpy', 'Memset')
  )
GROUP BY device
ORDER BY events DESC, device;
