-- Which slice lies in which, by start and end, wherever the trace has them.

-- Slices, thread after thread on one time axis, numbered in the order of their starts. Of those
-- with equal start and end the one with the lowest id is around the others.
CREATE PERFETTO MACRO tpt_on_axis(
  -- The slices: a table with columns id, upid, track_key (their thread, never NULL), ts, dur, and
  -- any others, ORDER BY upid, track_key, ts, dur DESC, id. Its rows have numbers of their own: a
  -- window function that counts them takes longer than all the rest.
  source TableOrSubquery
)
-- Its columns, and seq (the number), start and stop (on that axis, ns).
RETURNS TableOrSubquery AS
(
  WITH
    thread AS MATERIALIZED (
      SELECT upid, track_key, ROW_NUMBER() OVER (ORDER BY upid, track_key) AS number
      FROM (SELECT DISTINCT upid, track_key FROM $source)
    ),
    axis AS MATERIALIZED (
      SELECT
        MIN(ts) AS first,
        -- further apart than the 1 us by which a slice may outlast the one around it; where a
        -- broken slice lasts for years, and all would not fit 63 bits, it ends with its thread
        MIN(MAX(ts + dur) - MIN(ts) + 10000, (1 << 62) / (SELECT COUNT(*) + 1 FROM thread))
          AS length
      FROM $source
    )
  SELECT
    it.*,
    it._auto_id + 1 AS seq,
    MIN(it.ts - axis.first, axis.length - 10000) + thread.number * axis.length AS start,
    MIN(it.ts + it.dur - axis.first, axis.length - 10000) + thread.number * axis.length AS stop
  FROM $source AS it
  CROSS JOIN thread USING (upid, track_key)
  CROSS JOIN axis
);

-- For each slice the innermost one around it, 0 for none. A slice lies in another where it starts
-- in it and ends in it, or outlasts it by at most 1 us. One pass goes over all in order: `top`
-- is the innermost slice that may still be open, `below` the slices around it, with their ends. If
-- the next slice does not lie in the top, the top is taken off, else the next becomes the top, but
-- for a leaf, which ends before the slice after it starts. `ended` is the end of the leaf or of the
-- slice that was taken off last, if it lay in the top. `below` is a blob: SQLite counts the
-- characters of a text from its start.
CREATE PERFETTO MACRO tpt_parents(
  -- The slices: a table with columns seq, start and stop, as `tpt_on_axis!` makes them.
  source TableOrSubquery
)
-- seq; parent (the slice that it lies in; 0: in none); start, ns; stop, ns: its end, or that of the
-- slice that it lies in where that is sooner; since: the stop of the one before it in that slice,
-- which is the latest of all before it; NULL: it is the first.
RETURNS TableOrSubquery AS
(
  WITH RECURSIVE
    op AS MATERIALIZED (
      SELECT it.seq, it.start, it.stop, COALESCE(after.start >= it.stop, 1) AS is_leaf
      FROM $source AS it
      LEFT JOIN $source AS after ON after.seq = it.seq + 1
    ),
    -- how much an op may outlast the one that it lies in, ns
    answer(lies_in, tolerance_ns) AS (
      VALUES (0, 1000), (1, 1000)
    ),
    walk(next, start, stop, parent, parent_stop, since, top, top_stop, below, ended) AS (
      SELECT 1, NULL, NULL, NULL, NULL, NULL, 0, 1 << 62, X'', NULL
      UNION ALL
      SELECT
        next + lies_in,
        op.start,
        op.stop,
        IIF(lies_in, top, NULL),
        top_stop,
        ended,
        CASE
          WHEN NOT lies_in THEN CAST(SUBSTR(below, -32, 12) AS INT)
          WHEN is_leaf THEN top
          ELSE op.seq
        END,
        CASE
          WHEN NOT lies_in THEN CAST(SUBSTR(below, -20) AS INT)
          WHEN is_leaf THEN top_stop
          ELSE op.stop
        END,
        CASE
          WHEN NOT lies_in THEN SUBSTR(below, 1, LENGTH(below) - 32)
          WHEN is_leaf THEN below
          ELSE CAST(below || PRINTF('%012d%020d', top, top_stop) AS BLOB)
        END,
        CASE
          WHEN NOT lies_in THEN top_stop
          WHEN is_leaf THEN op.stop
        END
      FROM walk
      CROSS JOIN op ON op.seq = walk.next
      CROSS JOIN answer ON answer.lies_in = (
        top_stop > op.start
        AND op.stop
        <= top_stop + IIF(top_stop - op.start > answer.tolerance_ns, answer.tolerance_ns, 0)
      )
    )
  SELECT
    next - 1 AS seq,
    parent,
    start,
    MIN(stop, parent_stop) AS stop,
    MIN(since, parent_stop) AS since
  FROM walk
  WHERE
    parent IS NOT NULL
);
