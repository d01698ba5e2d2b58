-- Why slices are repaired: for each the slice that it overlaps.

INCLUDE PERFETTO MODULE tpt.overlap;

-- For the slices that a repair trimmed and did not move, the slices of their lane that they
-- overlapped: one that starts where they end now, or one around them that ends there.
CREATE PERFETTO TABLE _tpt_trim_cause AS
WITH
  trimmed AS MATERIALIZED (
    SELECT * FROM tpt_overlap_slice WHERE is_trimmed AND moved_to IS NULL
  )
SELECT trimmed.id, s.id AS other, trimmed.recorded_end - s.ts AS overlap_ns
FROM tpt_overlap_slice AS s
CROSS JOIN trimmed ON trimmed.track_id = s.track_id AND trimmed.ts_end = s.ts
WHERE
  s.recorded_end > trimmed.recorded_end
UNION ALL
SELECT trimmed.id, s.id, trimmed.ts_end - trimmed.ts
FROM tpt_overlap_slice AS s
CROSS JOIN trimmed ON trimmed.track_id = s.track_id AND trimmed.ts_end = s.ts_end
WHERE
  s.ts < trimmed.ts AND s.recorded_end < trimmed.recorded_end;

-- For each repaired slice the one it overlaps longest among those that call for its repair. Slices
-- that a repair moved or trimmed have no row here where the trace no longer has that slice.
CREATE PERFETTO TABLE tpt_overlap_cause(
  -- Id of the repaired slice.
  id JOINID(slice.id),
  -- The slice that it overlaps.
  other JOINID(slice.id),
  -- How long the two overlap, ns.
  overlap_ns DURATION
) AS
WITH
  side AS (
    SELECT a AS id, b AS other, overlap_ns, cut_id, cut_at, is_repaired FROM tpt_overlap_pair
    UNION ALL
    SELECT b, a, overlap_ns, cut_id, cut_at, is_repaired FROM tpt_overlap_pair
  ),
  calling AS (
    -- a slice that moved may overlap others by jitter alone: those called for it last
    SELECT
      side.id,
      side.other,
      side.overlap_ns,
      repair.lane IS NOT NULL AND side.cut_id IS NOT NULL AS is_jitter
    FROM side
    JOIN tpt_overlap_repair AS repair USING (id)
    WHERE
      IIF(
        repair.lane IS NULL,
        side.cut_id = side.id AND side.cut_at = repair.ts_end AND NOT side.is_repaired,
        side.cut_id IS NULL OR side.is_repaired
      )
    UNION ALL
    SELECT id, other, overlap_ns, 0 FROM _tpt_trim_cause
  ),
  ranked AS (
    SELECT
      *,
      ROW_NUMBER() OVER (PARTITION BY id ORDER BY is_jitter, overlap_ns DESC, other) AS place
    FROM calling
  )
SELECT id, other, overlap_ns
FROM ranked
WHERE
  place = 1
ORDER BY id;
