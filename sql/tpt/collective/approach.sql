-- How ranks come to the collectives that they share.

INCLUDE PERFETTO MODULE tpt.collective.window;

-- Each rank in each collective that it shares with others, and how far it has come since the last.
-- Only collectives that no rank leaves before the last has come.
CREATE PERFETTO TABLE tpt_collective_approach(
  -- Id of the part's slice.
  id JOINID(slice.id),
  -- Its collective, as in `tpt_collective_rank`.
  match_id JOINID(slice.id),
  -- Its rank; NULL in the trace of one rank.
  rank LONG,
  -- The process that its track belongs to.
  upid JOINID(process.id),
  -- Its device; NULL on the CPU.
  device LONG,
  -- 0 where the match is uncertain, else 1.
  is_sure BOOL,
  -- The collective that was the last to arrive before on this device; NULL: this is the first.
  match_before JOINID(slice.id),
  -- End of the rank's collectives before, at most its arrival, ns; NULL: this is the first.
  since TIMESTAMP,
  -- Its arrival, ns.
  arrival TIMESTAMP,
  -- Its arrival - the first arrival of a rank, ns.
  behind_first DURATION,
  -- Last arrival of a rank - its own, ns.
  wait_ns DURATION,
  -- The same, summed over the ranks, ns.
  all_wait_ns DURATION,
  -- 1 for each rank that arrived last, later than another; else 0.
  is_last BOOL,
  -- How many ranks arrived last; 0 where all arrived together.
  last_ranks LONG,
  -- 1 for the rank whose arrival is the median, else 0.
  is_median BOOL
) AS
WITH
  every AS (
    SELECT
      *,
      LAG(match_id) OVER so_far AS match_before,
      MAX(ts_end) OVER (so_far ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS end_before
    FROM tpt_collective_rank
    WINDOW so_far AS (PARTITION BY rank, device ORDER BY arrival, id)
  ),
  shared AS (
    SELECT
      *,
      MIN(end_before, arrival) AS since,
      arrival - MIN(arrival) OVER (PARTITION BY match_id) AS behind_first,
      ROW_NUMBER() OVER (PARTITION BY match_id ORDER BY arrival, rank, id) AS place,
      COUNT(*) OVER (PARTITION BY match_id) AS parts,
      SUM(wait_ns) OVER (PARTITION BY match_id) AS all_wait_ns,
      SUM(is_last) OVER (PARTITION BY match_id) AS last_ranks
    FROM every
    WHERE
      confidence != 'alone'
      AND kind IN (
        'all_reduce', 'all_gather', 'reduce_scatter', 'all_to_all', 'barrier', 'dispatch', 'combine'
      )
  )
SELECT
  id,
  match_id,
  rank,
  upid,
  device,
  confidence != 'uncertain' AS is_sure,
  match_before,
  since,
  arrival,
  behind_first,
  wait_ns,
  all_wait_ns,
  is_last,
  last_ranks,
  2 * place IN (parts, parts + 1) AS is_median
FROM shared
ORDER BY id;
