-- Every finished slice and instant of threads and processes as Perfetto shows it, for comparison
-- with the file; without asynchronous spans, which lie on tracks of their own.
--
-- Grain: one row per slice.
-- Scope: rank
SELECT
  -- its start, ns
  slice.ts,
  -- its duration, ns
  slice.dur,
  -- tid of its thread; NULL for slices of no thread, such as global instants
  thread.tid,
  -- its name; NULL where the file gives none
  slice.name
FROM slice
JOIN track ON track.id = slice.track_id
LEFT JOIN thread_track ON thread_track.id = slice.track_id
LEFT JOIN thread USING (utid)
WHERE
  slice.dur >= 0 AND (thread.tid IS NOT NULL OR track.type GLOB '*instant*')
ORDER BY slice.ts, slice.id;
