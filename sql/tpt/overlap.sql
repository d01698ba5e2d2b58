-- Slices that partly overlap on their track, and how each is repaired. The rule stands in
-- `sql/overlaps.sql`. A repair that was done before is read from the args that it left: `tpt_lane`,
-- `tpt_tid` and `tpt_recorded_dur`. In the trace that `tp-tools fix` asks about, whose slices have
-- `tpt_event`, these args place slices for the question, and the rule alone decides.

-- The longest overlap that counts as jitter, ns.
CREATE PERFETTO FUNCTION tpt_tolerance_ns()
RETURNS LONG AS
SELECT 1000;

-- What a repair left in the args of slices: few have any, and to ask each slice for them takes ten
-- times as long.
CREATE PERFETTO TABLE _tpt_overlap_arg AS
WITH
  left_behind AS (
    SELECT
      arg_set_id,
      REPLACE(key, 'debug.', '') AS key,
      COALESCE(int_value, real_value, string_value) AS value
    FROM args
    WHERE
      key IN (
        'args.tpt_lane',
        'args.tpt_tid',
        'args.tpt_event',
        'args.tpt_recorded_dur',
        'debug.args.tpt_lane',
        'debug.args.tpt_tid',
        'debug.args.tpt_event',
        'debug.args.tpt_recorded_dur'
      )
  )
SELECT
  arg_set_id,
  MAX(IIF(key = 'args.tpt_lane', value, NULL)) AS lane,
  MAX(IIF(key = 'args.tpt_tid', value, NULL)) AS tid,
  MAX(IIF(key = 'args.tpt_event', value, NULL)) AS event,
  CAST(ROUND(MAX(IIF(key = 'args.tpt_recorded_dur', value, NULL)) * 1000) AS INT) AS recorded_dur
FROM left_behind
GROUP BY arg_set_id
ORDER BY arg_set_id;

-- Every slice that takes time, with its track: moved slices carry the tid of theirs in args,
-- trimmed ones the duration that was recorded, in us.
CREATE PERFETTO TABLE tpt_overlap_slice(
  -- Id of the slice.
  id JOINID(slice.id),
  -- The lane that it is on.
  track_id JOINID(track.id),
  -- Its start, ns.
  ts TIMESTAMP,
  -- Its end, ns.
  ts_end TIMESTAMP,
  -- Its end before a repair trimmed it, ns.
  recorded_end TIMESTAMP,
  -- The lane that a repair moved it to, from 2; NULL: it was not moved.
  moved_to LONG,
  -- 1: a repair trimmed it, else 0.
  is_trimmed BOOL,
  -- Its process.
  upid JOINID(process.id),
  -- The tid of its track.
  track_tid LONG,
  -- 1: a kernel, copy or memset, else 0.
  is_gpu_work BOOL,
  -- 1: an annotation, else 0.
  is_annotation BOOL
) AS
WITH
  timed AS (
    SELECT
      s.id,
      s.track_id,
      s.ts,
      s.ts + s.dur AS ts_end,
      s.ts + MAX(s.dur, COALESCE(arg.recorded_dur, s.dur)) AS recorded_end,
      thread.upid,
      COALESCE(arg.tid, thread.tid) AS track_tid,
      arg.lane,
      arg.event IS NULL AS is_repaired,
      COALESCE(s.category, '') IN (
        'kernel', 'gpu_memcpy', 'gpu_memset', 'cuda_graph', 'Kernel', 'Memcpy', 'Memset'
      ) AS is_gpu_work,
      COALESCE(s.category, '') IN ('user_annotation', 'gpu_user_annotation')
      OR s.name GLOB 'ProfilerStep*' AS is_annotation
    FROM slice AS s
    JOIN thread_track ON thread_track.id = s.track_id
    JOIN thread USING (utid)
    LEFT JOIN _tpt_overlap_arg AS arg USING (arg_set_id)
    WHERE
      s.dur > 0
  )
SELECT
  id,
  track_id,
  ts,
  ts_end,
  recorded_end,
  IIF(is_repaired, lane, NULL) AS moved_to,
  is_repaired AND recorded_end > ts_end AS is_trimmed,
  upid,
  track_tid,
  is_gpu_work,
  is_annotation
FROM timed
ORDER BY id;

-- The lanes of each track that has several, the one with the most slices first.
CREATE PERFETTO TABLE _tpt_overlap_lane AS
WITH
  lane_size AS (
    SELECT upid, track_tid, track_id, COUNT(*) AS slices
    FROM tpt_overlap_slice
    GROUP BY upid, track_tid, track_id
  ),
  ranked AS (
    SELECT
      track_id,
      upid,
      track_tid,
      ROW_NUMBER() OVER (
        PARTITION BY upid, track_tid ORDER BY slices DESC, track_id
      ) AS place,
      COUNT(*) OVER (PARTITION BY upid, track_tid) AS lanes
    FROM lane_size
  )
SELECT track_id, upid, track_tid, place
FROM ranked
WHERE
  lanes > 1
ORDER BY track_id;

-- For the start and the end of each slice, and each larger lane of its track: the slice there that
-- started last. Only it and its ancestors can be open at that point. Ids grow with ts.
CREATE PERFETTO TABLE _tpt_near AS
WITH
  own AS (
    SELECT s.id, s.ts, s.ts_end, s.moved_to, t.track_id, t.upid, t.track_tid, t.place
    FROM tpt_overlap_slice AS s
    JOIN _tpt_overlap_lane AS t USING (track_id)
  ),
  -- the larger lanes of its track; of a slice that a repair moved 32 of them, or thousands that all
  -- overlap would make millions of pairs
  larger AS (
    SELECT t.track_id, own.id, own.ts, own.ts_end
    FROM own
    JOIN _tpt_overlap_lane AS t USING (upid, track_tid)
    WHERE
      t.place < own.place AND (t.place <= 32 OR own.moved_to IS NULL)
  ),
  -- kinds of points: 0 a slice of the lane itself, 1 a start and 2 an end on a smaller lane
  point AS (
    SELECT track_id, ts AS at, 0 AS what, id FROM own
    UNION ALL
    SELECT track_id, ts, 1, id FROM larger
    UNION ALL
    SELECT track_id, ts_end, 2, id FROM larger
  ),
  latest AS (
    SELECT
      id,
      what,
      MAX(IIF(what = 0, id, NULL)) OVER (
        PARTITION BY track_id
        ORDER BY at, what
        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
      ) AS near
    FROM point
  )
SELECT id, what = 1 AS is_start, near
FROM latest
WHERE
  what != 0 AND near IS NOT NULL;

-- Pairs that partly overlap: a starts first, b ends last. Which of the two is cut, and where: NULL
-- if neither can be, so that one has to move.
CREATE PERFETTO TABLE tpt_overlap_pair(
  -- The slice that starts first.
  a JOINID(slice.id),
  -- The slice that ends last.
  b JOINID(slice.id),
  -- How long the two overlap, ns.
  overlap_ns DURATION,
  -- The one that is cut; NULL: neither can be, so that one has to move.
  cut_id JOINID(slice.id),
  -- Where it is cut, ns; NULL likewise.
  cut_at TIMESTAMP,
  -- 1: a repair has moved one of the two, else 0.
  is_repaired BOOL
) AS
WITH
  open AS (
    SELECT id, is_start, near AS other FROM _tpt_near
    UNION ALL
    SELECT n.id, n.is_start, ancestor.id
    FROM _tpt_near AS n
    JOIN tpt_overlap_slice AS own ON own.id = n.id
    JOIN slice AS s ON s.id = n.near
    JOIN slice AS parent ON parent.id = s.parent_id
    JOIN ancestor_slice(n.near) AS ancestor
    WHERE
      -- if the parent does not, no ancestor does: so the ancestors of few slices are compared
      IIF(n.is_start, parent.ts + parent.dur < own.ts_end, parent.ts > own.ts)
      AND IIF(n.is_start, ancestor.ts + ancestor.dur < own.ts_end, ancestor.ts > own.ts)
  ),
  ordered AS (
    SELECT IIF(is_start, other, id) AS a, IIF(is_start, id, other) AS b
    FROM open
  ),
  judged AS (
    SELECT
      a.id AS a,
      b.id AS b,
      a.ts_end AS a_end,
      b.ts AS b_ts,
      a.moved_to IS NOT NULL OR b.moved_to IS NOT NULL AS is_repaired,
      NOT a.is_gpu_work AND a.recorded_end - b.ts <= tpt_tolerance_ns() AS cut_a,
      NOT b.is_gpu_work AND b.recorded_end - a.ts_end <= tpt_tolerance_ns() AS cut_b
    FROM ordered
    JOIN tpt_overlap_slice AS a ON a.id = ordered.a
    JOIN tpt_overlap_slice AS b ON b.id = ordered.b
    WHERE
      a.ts < b.ts AND a.ts_end > b.ts AND a.ts_end < b.ts_end
  )
SELECT
  a,
  b,
  a_end - b_ts AS overlap_ns,
  CASE WHEN cut_a THEN a WHEN cut_b THEN b END AS cut_id,
  CASE WHEN cut_a THEN b_ts WHEN cut_b THEN a_end END AS cut_at,
  is_repaired
FROM judged;

-- The slices of pairs in which one has to move and none has been, numbered in the order of placing:
-- all work first.
CREATE PERFETTO TABLE _tpt_conflicting AS
SELECT
  s.id,
  s.is_annotation,
  ROW_NUMBER() OVER (
    ORDER BY s.is_annotation, s.upid, s.track_tid, s.ts, s.ts_end DESC, s.id
  ) AS seq
FROM tpt_overlap_slice AS s
WHERE
  s.id IN (
    SELECT a FROM tpt_overlap_pair WHERE cut_id IS NULL AND NOT is_repaired
    UNION
    SELECT b FROM tpt_overlap_pair WHERE cut_id IS NULL AND NOT is_repaired
  )
ORDER BY s.id;

-- For each slice in that order, the earlier slices that it cannot share a lane with.
CREATE PERFETTO TABLE _tpt_conflict AS
SELECT
  MAX(a.seq, b.seq) AS seq,
  MIN(a.seq, b.seq) AS earlier,
  a.is_annotation != b.is_annotation AS is_mixed
FROM tpt_overlap_pair AS pair
JOIN _tpt_conflicting AS a ON a.id = pair.a
JOIN _tpt_conflicting AS b ON b.id = pair.b
WHERE
  pair.cut_id IS NULL AND NOT pair.is_repaired
ORDER BY 1, 2;

-- The first slice of its kind whose lane a slice or any later one still asks for.
CREATE PERFETTO TABLE _tpt_walk AS
WITH
  first_conflict AS (
    SELECT seq, MIN(earlier) AS earlier
    FROM _tpt_conflict
    WHERE
      NOT is_mixed
    GROUP BY seq
  )
SELECT
  c.seq,
  c.is_annotation,
  MIN(COALESCE(f.earlier, c.seq)) OVER (
    ORDER BY c.seq ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING
  ) AS keep_from
FROM _tpt_conflicting AS c
LEFT JOIN first_conflict AS f USING (seq)
ORDER BY c.seq;

-- Placing, one slice after the other: each takes the lowest lane that is free of conflicts.
-- `walk`: slices (seq without gaps, keep_from). `conflicts`: conflicts among them (seq, earlier).
-- `taken`: lanes that others have (seq, lane). `lanes` holds a character per slice from `base` on,
-- its code the lane.
CREATE PERFETTO MACRO _tpt_first_fit(
  walk TableOrSubquery,
  conflicts TableOrSubquery,
  taken TableOrSubquery
)
RETURNS TableOrSubquery AS
(
  WITH RECURSIVE
    placed(seq, base, lanes) AS (
      SELECT MIN(seq) - 1, MIN(seq), '' FROM $walk
      UNION ALL
      SELECT
        walk.seq,
        walk.keep_from,
        SUBSTR(placed.lanes, walk.keep_from - placed.base + 1) || CHAR(
          64 + (
            -- taken lanes in ascending order equal their place up to the first gap
            SELECT 1 + COUNT(*)
            FROM (
              SELECT lane, ROW_NUMBER() OVER (ORDER BY lane) AS place
              FROM (
                SELECT
                  UNICODE(SUBSTR(placed.lanes, conflict.earlier - placed.base + 1, 1)) - 64 AS lane
                FROM $conflicts AS conflict
                WHERE
                  conflict.seq = walk.seq
                UNION
                SELECT taken.lane
                FROM $taken AS taken
                WHERE
                  taken.seq = walk.seq
              )
            )
            WHERE
              lane = place
          )
        )
      FROM placed
      JOIN $walk AS walk ON walk.seq = placed.seq + 1
    )
  SELECT seq, UNICODE(SUBSTR(lanes, -1)) - 64 AS lane
  FROM placed
  WHERE
    lanes != ''
);

-- The lanes of GPU work and calls: of all that is no annotation.
CREATE PERFETTO TABLE _tpt_work_lane AS
SELECT seq, lane
FROM _tpt_first_fit!(
  (SELECT * FROM _tpt_walk WHERE NOT is_annotation),
  (SELECT * FROM _tpt_conflict WHERE NOT is_mixed),
  (SELECT 0 AS seq, 0 AS lane WHERE FALSE)
)
ORDER BY seq;

-- Lanes that work has taken, for each annotation that conflicts with work.
CREATE PERFETTO TABLE _tpt_taken AS
SELECT c.seq, work.lane
FROM _tpt_conflict AS c
JOIN _tpt_work_lane AS work ON work.seq = c.earlier
WHERE
  c.is_mixed
ORDER BY c.seq;

-- The lane of each slice of a pair in which one has to move.
CREATE PERFETTO TABLE _tpt_placed AS
WITH
  placed AS (
    SELECT seq, lane FROM _tpt_work_lane
    UNION ALL
    SELECT seq, lane
    FROM _tpt_first_fit!(
      (SELECT * FROM _tpt_walk WHERE is_annotation),
      (SELECT * FROM _tpt_conflict WHERE NOT is_mixed),
      _tpt_taken
    )
  )
SELECT c.id, placed.lane
FROM placed
JOIN _tpt_conflicting AS c USING (seq)
ORDER BY c.id;

-- Where each trimmed slice ends: at the first cut by a slice that stays on its lane.
CREATE PERFETTO TABLE _tpt_trimmed AS
SELECT pair.cut_id AS id, MIN(pair.cut_at) AS ts_end
FROM tpt_overlap_pair AS pair
LEFT JOIN _tpt_placed AS a ON a.id = pair.a
LEFT JOIN _tpt_placed AS b ON b.id = pair.b
WHERE
  pair.cut_id IS NOT NULL
  AND NOT pair.is_repaired
  AND COALESCE(a.lane, 1) = COALESCE(b.lane, 1)
GROUP BY pair.cut_id;

-- The slices that are repaired: by the rule, or as a repair has done it.
CREATE PERFETTO TABLE tpt_overlap_repair(
  -- Id of the slice.
  id JOINID(slice.id),
  -- Lane that it moves to, from 2; NULL: it stays.
  lane LONG,
  -- Where it ends after its trim, ns; NULL: it is not trimmed.
  ts_end TIMESTAMP
) AS
WITH
  repaired AS (
    SELECT id, lane, NULL AS ts_end FROM _tpt_placed WHERE lane > 1
    UNION ALL
    SELECT id, NULL, ts_end FROM _tpt_trimmed
    UNION ALL
    SELECT id, moved_to, IIF(is_trimmed, ts_end, NULL)
    FROM tpt_overlap_slice
    WHERE
      moved_to IS NOT NULL OR is_trimmed
  )
SELECT id, MAX(lane) AS lane, MAX(ts_end) AS ts_end
FROM repaired
GROUP BY id
ORDER BY id;
