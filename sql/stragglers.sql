-- Stragglers: which rank the others wait for, how long, and what kept it.
--
-- Of the collectives that no rank leaves before the last has come: all-reduce, all-gather,
-- reduce-scatter, all-to-all, barrier, dispatch and combine. Where all ranks come together nobody
-- is last; several that come last together share the waiting for them.
--
-- The delay of a rank is the time between the end of its collective before and its arrival,
-- compared with the rank whose arrival is the median. Both must come from the same collective. A
-- cause is named where it explains at least 20 per cent of the lateness against that rank.
--
-- Grain: one row per rank that has collectives.
-- Scope: job
-- Parts: tpt.collective.part, tpt.collective.context, tpt.collective.work
-- Needs: kernel, gpu_memcpy, gpu_memset, launch_calls, op_marks, user_annotation,
--   gpu_user_annotation, collective
-- Args: device, stream, correlation
-- Set: rank RANGE  only these ranks
-- Set: steps RANGE  only collectives launched in these steps, by their number in steps
-- Shown first: rank, times_last, caused_wait_us, wait_us, cause, caused_by, late_kernel
-- Kernel names: late_kernel, caused_by
-- Paste: what `tp-tools sql stragglers` prints runs in the Query tab of any Perfetto UI.

INCLUDE PERFETTO MODULE tpt.collective.window;

INCLUDE PERFETTO MODULE tpt.collective.approach;

INCLUDE PERFETTO MODULE tpt.collective.lateness;

WITH
  approach AS MATERIALIZED (
    SELECT approach.*
    FROM tpt_collective_approach AS approach
    CROSS JOIN tpt_collective_rank AS part USING (id)
    WHERE
      tpt_set_steps!(part.step_number)
  ),
  lateness AS MATERIALIZED (
    SELECT * FROM tpt_collective_lateness!(approach)
  ),
  compared AS (
    SELECT
      part.*,
      part.behind_first - usual.behind_first AS lateness_ns
    FROM approach AS part
    JOIN (SELECT * FROM approach WHERE is_median) AS usual USING (match_id)
    WHERE
      part.is_sure
  ),
  total AS (
    SELECT
      rank,
      COUNT(*) AS collectives,
      SUM(is_last) AS times_last,
      SUM(IIF(is_last, 1.0 * all_wait_ns / last_ranks, 0)) AS caused_wait_ns,
      SUM(wait_ns) AS wait_ns,
      MEDIAN(lateness_ns) AS median_lateness_ns
    FROM compared
    GROUP BY rank
  ),
  present AS (
    SELECT part.rank, SUM(NOT IFNULL(approach.is_sure, TRUE)) AS uncertain
    FROM tpt_collective_rank AS part
    LEFT JOIN tpt_collective_approach AS approach USING (id)
    WHERE
      tpt_set_steps!(part.step_number)
    GROUP BY part.rank
  )
SELECT
  -- rank; NULL in the trace of one rank
  present.rank,
  -- collectives that it shares with other ranks in the trace, all matches sure
  IFNULL(total.collectives, 0) AS collectives,
  -- collectives that it shares and that are left out here, since their match is uncertain
  present.uncertain,
  -- collectives to which it came last, later than another; alike for all that came last together
  IFNULL(total.times_last, 0) AS times_last,
  -- time that all other ranks waited in these, us; divided among ranks that came last together
  IFNULL(total.caused_wait_ns, 0) / 1e3 AS caused_wait_us,
  -- time that it waited for other ranks in all collectives, us
  IFNULL(total.wait_ns, 0) / 1e3 AS wait_us,
  -- median of its arrival - the median arrival, us; negative where it is early; NULL without any
  total.median_lateness_ns / 1e3 AS median_lateness_us,
  -- where it came last: time that kernels and copies ran longer on it than on the median rank, us;
  -- NULL where no collective can be compared
  late.work_ns / 1e3 AS late_work_us,
  -- and time that nothing ran longer, us; NULL likewise
  late.gaps_ns / 1e3 AS late_gaps_us,
  -- cause of most of its lateness against the median rank: work (kernels and copies ran
  -- longer) or idle (nothing ran); NULL where neither explains 20 per cent, and likewise
  late.cause,
  -- work: name of the kernel or copy that ran longer; idle: name of the one that started late;
  -- NULL where no name explains 20 per cent of the lateness
  late.caused_by,
  -- how much longer, all of this name together, us; NULL likewise
  late.caused_by_ns / 1e3 AS caused_by_us,
  -- the kernel or copy that ran longer, whatever the cause; NULL where none explains 20 per cent
  late.late_kernel,
  -- how much longer, all of this name together, us; NULL likewise
  late.late_kernel_ns / 1e3 AS late_kernel_us
FROM present
LEFT JOIN total ON total.rank IS present.rank
LEFT JOIN lateness AS late ON late.rank IS present.rank
WHERE
  present.rank IS NULL OR tpt_set_rank!(present.rank)
ORDER BY caused_wait_us DESC, present.rank;
