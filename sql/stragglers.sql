-- Stragglers: which rank the others wait for, how long, and what kept it.
--
-- Of the collectives that no rank leaves before the last has come: all-reduce, all-gather,
-- reduce-scatter, all-to-all, barrier, dispatch and combine. What keeps a rank is what it does
-- between the end of its collective before and its arrival, against the rank whose arrival is the
-- median. Both must come from the same collective.
--
-- Grain: one row per rank that has collectives.
-- Scope: job
-- Needs: kernel, gpu_memcpy, gpu_memset, user_annotation, gpu_user_annotation, collective
-- Args: device, stream
-- Shown first: rank, times_last, caused_wait_us, wait_us, late_kernel
-- Kernel names: late_kernel
-- Paste: what `tp-tools sql stragglers` prints runs in the Query tab of any Perfetto UI.

INCLUDE PERFETTO MODULE tpt.gpu_slice;

INCLUDE PERFETTO MODULE tpt.collective.window;

INCLUDE PERFETTO MODULE tpt.collective.approach;

WITH
  -- the last rank and the median one, where both come from the same collective
  pair AS (
    SELECT late.rank AS late_rank, late.id AS late_id, usual.id AS usual_id
    FROM tpt_collective_approach AS late
    JOIN tpt_collective_approach AS usual USING (match_id, match_before)
    WHERE
      late.is_sure AND late.is_last AND usual.is_median
  ),
  side AS MATERIALIZED (
    SELECT pair.late_rank, part.*, 1 AS sign
    FROM pair
    JOIN tpt_collective_approach AS part ON part.id = pair.late_id
    UNION ALL
    SELECT pair.late_rank, part.*, -1
    FROM pair
    JOIN tpt_collective_approach AS part ON part.id = pair.usual_id
  ),
  point AS (
    SELECT id, upid, device, arrival AS at, FALSE AS is_work FROM side
    UNION ALL
    SELECT id, upid, device, ts, TRUE FROM tpt_gpu_slice WHERE kind != 'collective'
  ),
  -- work is counted to the next arrival
  ahead AS (
    SELECT
      id,
      upid,
      device,
      is_work,
      MIN(IIF(is_work, NULL, at)) OVER (
        PARTITION BY upid, device
        ORDER BY at DESC, is_work DESC
        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
      ) AS arrival
    FROM point
  ),
  spent AS (
    SELECT
      side.id,
      side.late_rank,
      side.sign,
      work.name,
      MAX(work.ts, side.since) AS since,
      MIN(work.ts_end, side.arrival) AS until
    FROM ahead
    JOIN side USING (upid, device, arrival)
    JOIN tpt_gpu_slice AS work ON work.id = ahead.id
    WHERE
      ahead.is_work AND work.ts_end > side.since
  ),
  ordered AS MATERIALIZED (
    SELECT
      *,
      MAX(until) OVER (
        PARTITION BY id
        ORDER BY since, until
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
      ) AS covered_until
    FROM spent
  ),
  busy AS (
    SELECT id, SUM(MAX(0, until - MAX(since, IFNULL(covered_until, since)))) AS busy_ns
    FROM ordered
    GROUP BY id
  ),
  kept AS (
    SELECT
      side.late_rank AS rank,
      SUM(side.sign * IFNULL(busy.busy_ns, 0)) AS work_ns,
      SUM(side.sign * (side.arrival - side.since - IFNULL(busy.busy_ns, 0))) AS gaps_ns
    FROM side
    LEFT JOIN busy USING (id)
    GROUP BY side.late_rank
  ),
  excess AS (
    SELECT late_rank AS rank, name, SUM(sign * (until - since)) AS excess_ns
    FROM ordered
    GROUP BY late_rank, name
  ),
  worst AS (
    SELECT rank, name, excess_ns
    FROM (
      SELECT *, ROW_NUMBER() OVER (PARTITION BY rank ORDER BY excess_ns DESC, name) AS place
      FROM excess
    )
    WHERE
      place = 1 AND excess_ns > 0
  ),
  compared AS (
    SELECT
      part.*,
      part.behind_first - usual.behind_first AS lateness_ns
    FROM tpt_collective_approach AS part
    JOIN (SELECT * FROM tpt_collective_approach WHERE is_median) AS usual USING (match_id)
    WHERE
      part.is_sure
  ),
  total AS (
    SELECT
      rank,
      COUNT(*) AS collectives,
      SUM(is_last) AS times_last,
      SUM(is_last * all_wait_ns) AS caused_wait_ns,
      SUM(wait_ns) AS wait_ns,
      MEDIAN(lateness_ns) AS median_lateness_ns
    FROM compared
    GROUP BY rank
  ),
  present AS (
    SELECT part.rank, SUM(NOT IFNULL(approach.is_sure, TRUE)) AS uncertain
    FROM tpt_collective_rank AS part
    LEFT JOIN tpt_collective_approach AS approach USING (id)
    GROUP BY part.rank
  )
SELECT
  -- rank; NULL in the trace of one rank
  present.rank,
  -- collectives that it shares with other ranks in the trace, all matches sure
  IFNULL(total.collectives, 0) AS collectives,
  -- of those that it shares, how many are left out here, since their match is uncertain
  present.uncertain,
  -- collectives to which it came last
  IFNULL(total.times_last, 0) AS times_last,
  -- sum over these of what all the others waited, us
  IFNULL(total.caused_wait_ns, 0) / 1e3 AS caused_wait_us,
  -- what it waited for others in all collectives, us
  IFNULL(total.wait_ns, 0) / 1e3 AS wait_us,
  -- median of its arrival - the median arrival, us; negative where it is early; NULL without any
  total.median_lateness_ns / 1e3 AS median_lateness_us,
  -- where it came last: kernels and copies ran that much longer on it than on the median rank, us;
  -- NULL where no collective can be compared
  kept.work_ns / 1e3 AS late_work_us,
  -- and that much longer nothing ran; NULL likewise
  kept.gaps_ns / 1e3 AS late_gaps_us,
  -- the kernel or copy that ran that much longer; NULL where none did
  worst.name AS late_kernel,
  -- how much longer, all of this name together, us; NULL likewise
  worst.excess_ns / 1e3 AS late_kernel_us
FROM present
LEFT JOIN total ON total.rank IS present.rank
LEFT JOIN kept ON kept.rank IS present.rank
LEFT JOIN worst ON worst.rank IS present.rank
ORDER BY caused_wait_us DESC, present.rank;
