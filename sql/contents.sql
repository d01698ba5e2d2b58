-- Contents: slices, tracks and times of a trace, by category.
--
-- Grain: one row per category.
-- Scope: rank
-- Needs: every category
-- Paste: what `tp-tools sql contents` prints runs in the Query tab of any Perfetto UI.

INCLUDE PERFETTO MODULE tpt.arg;

SELECT
  -- category; NULL for slices without one
  category,
  -- number of slices
  COUNT(*) AS slices,
  -- number of tracks that they lie on
  COUNT(DISTINCT track_id) AS tracks,
  -- sum of their durations as recorded, before any trim, ns; nested slices count as well as those
  -- around them, slices without an end do not count
  SUM(IIF(dur > 0, tpt_recorded_dur!(arg_set_id, dur), 0)) AS total_ns,
  -- start of the first, ns
  MIN(ts) AS first_ts,
  -- end of the last as recorded, ns
  MAX(ts + IIF(dur > 0, tpt_recorded_dur!(arg_set_id, dur), 0)) AS last_ts
FROM slice
WHERE
  -- the instant in which a .pftrace keeps the header of its JSON
  category IS NOT 'tpt_header'
GROUP BY category
ORDER BY slices DESC, category;
