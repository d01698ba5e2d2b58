-- Every finished slice and instant as Perfetto shows it, for comparison with the file;
-- `checks/tracks` tells which of them lie on threads. Without a join it takes a third of the time.
--
-- Grain: one row per slice.
-- Scope: rank
SELECT
  -- its start, ns
  ts,
  -- its duration, ns
  dur,
  -- its track
  track_id,
  -- its name; NULL where the file gives none
  name
FROM slice
WHERE
  dur >= 0
ORDER BY id;
