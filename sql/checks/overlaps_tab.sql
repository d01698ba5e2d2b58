-- The overlaps for the tab of `tp-tools view`: what overlapped what, and what was done about it.
-- The UI makes a link to the slice of `id` where a row has slice_id, ts, dur and track_id.
--
-- Grain: one row per slice that moves or is trimmed. The rule stands in sql/overlaps.sql.

INCLUDE PERFETTO MODULE tpt.overlap;

INCLUDE PERFETTO MODULE tpt.overlap_cause;

INCLUDE PERFETTO MODULE tpt.short_name;

SELECT
  -- id of the slice in the table slice
  s.id,
  -- its start, ms from the start of the trace
  (s.ts - trace_start()) / 1e6 AS at_ms,
  -- how long it and the other one overlap, us; NULL: the other one is not in this trace
  cause.overlap_ns / 1e3 AS overlap_us,
  -- move: it is on a lane of its own, below its track; trim: it ends earlier
  CASE
    WHEN p.ts_end IS NULL THEN 'move'
    WHEN p.lane IS NULL THEN 'trim'
    ELSE 'move and trim'
  END AS repair,
  -- its name, that of a kernel as one reads it, up to 40 characters
  SUBSTR(IIF(s.category IN ('kernel', 'Kernel'), tpt_short_name(s.name), s.name), 1, 40) AS name,
  -- name of the slice that it overlaps, likewise; NULL: that is not in this trace
  SUBSTR(
    IIF(other.category IN ('kernel', 'Kernel'), tpt_short_name(other.name), other.name),
    1,
    40
  ) AS overlaps,
  -- its start, ns
  s.ts,
  -- its duration as it is shown, ns
  s.dur,
  -- its track
  s.track_id,
  -- its id again
  s.id AS slice_id
FROM tpt_overlap_repair AS p
JOIN slice AS s ON s.id = p.id
LEFT JOIN tpt_overlap_cause AS cause ON cause.id = p.id
LEFT JOIN slice AS other ON other.id = cause.other
ORDER BY
  -- GPU work first, in the order of time
  s.category IN (
    'kernel', 'gpu_memcpy', 'gpu_memset', 'cuda_graph', 'Kernel', 'Memcpy', 'Memset'
  ) DESC,
  s.ts,
  s.id;
