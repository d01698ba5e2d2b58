-- Every track of a thread, and of the instants of processes and of the whole trace; without those
-- of asynchronous spans.
--
-- Grain: one row per track.
-- Scope: rank
SELECT
  -- id of the track
  track.id AS track_id,
  -- tid of its thread; NULL where it is of no thread
  thread.tid
FROM track
LEFT JOIN thread_track USING (id)
LEFT JOIN thread USING (utid)
WHERE
  thread.tid IS NOT NULL OR track.type GLOB '*instant*'
ORDER BY track.id;
