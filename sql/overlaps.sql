-- Overlaps: which slices partly overlap another one of their track, and how each is repaired.
--
-- Perfetto v51 to v56 drops such a slice on import, v57 and later show it on an extra track and
-- draw its launch arrow to the wrong slice. A track is a (process, thread or stream).
--
-- Grain: one row per slice that moves or is trimmed. No rows: nothing overlaps.
-- Scope: rank
-- Needs: every category
-- Runs on: raw traces in Perfetto v57 and later; traces that tp-tools wrote in any version.
-- Shown first: id, name, kind, overlap_ns, repair, other_name
-- Kernel names: name, other_name
-- Paste: what `tp-tools sql overlaps` prints runs in the Query tab of any Perfetto UI.
--
-- The rule. Slices are placed in this order: work before annotations, then by start, longest
-- first. Each goes to the lowest lane on which it nests or stands free; lane 1 is the track itself.
-- Where two overlap by at most the tolerance and the one to shorten is no GPU work, it is jitter:
-- the earlier one is cut where the later one starts near its end, else the later one is cut
-- where the earlier one ends. GPU work is never trimmed, and nothing by more than the tolerance.
-- A trim can lay bare an overlap of two slices that both overlapped a third: `tp-tools fix` trims,
-- and asks again until nothing overlaps. In a trace that it has repaired, alone or in a merge, the
-- rows say what it did, moves and trims, by the args that it left.

INCLUDE PERFETTO MODULE tpt.overlap;

INCLUDE PERFETTO MODULE tpt.overlap_cause;

SELECT
  -- id of the slice in the table slice
  s.id,
  -- number of its event in the file; only `tp-tools fix` knows it, elsewhere NULL
  EXTRACT_ARG(s.arg_set_id, 'args.tpt_event') AS event,
  -- pid of its process, as in this trace: a merge gives ranks pids of their own. In the .pftrace of
  -- one rank as recorded, where that of GPU 0 cannot be 0
  COALESCE(EXTRACT_ARG(s.arg_set_id, 'debug.args.tpt_pid'), process.pid) AS pid,
  -- tid of its track, not of the lane: on a GPU the stream; in a merge as the merge numbers tracks
  timed.track_tid AS tid,
  -- its name
  s.name,
  -- its category
  s.category,
  -- its start, ns
  s.ts,
  -- its recorded duration, ns
  IIF(timed.is_trimmed, timed.recorded_end - s.ts, s.dur) AS dur,
  -- id of the slice that it overlaps; the longest such overlap if several, in a repaired track of
  -- more than 32 lanes among 32 of them. NULL: it was repaired, and the other slice is not in this
  -- trace
  cause.other AS other_id,
  -- name of that slice; NULL likewise
  other.name AS other_name,
  -- how long the two overlap, ns; NULL likewise
  cause.overlap_ns,
  -- concurrent: both really ran; jitter: at most the tolerance, from reading clocks
  IIF(p.lane IS NULL, 'jitter', 'concurrent') AS kind,
  -- lane on which it is shown: 1 is the track itself
  COALESCE(p.lane, 1) AS lane,
  -- the repair: move, trim, or both
  CASE
    WHEN p.ts_end IS NULL THEN 'move'
    WHEN p.lane IS NULL THEN 'trim'
    ELSE 'move and trim'
  END AS repair,
  -- its duration after the repair, ns
  COALESCE(p.ts_end - s.ts, s.dur) AS repaired_dur
FROM tpt_overlap_repair AS p
JOIN slice AS s ON s.id = p.id
JOIN tpt_overlap_slice AS timed ON timed.id = p.id
LEFT JOIN tpt_overlap_cause AS cause ON cause.id = p.id
LEFT JOIN slice AS other ON other.id = cause.other
LEFT JOIN process ON process.upid = timed.upid
ORDER BY s.ts, s.id;
