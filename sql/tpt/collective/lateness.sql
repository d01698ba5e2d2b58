-- Causes of lateness: why ranks come last to collectives.

INCLUDE PERFETTO MODULE tpt.collective.window;

INCLUDE PERFETTO MODULE tpt.collective.work;

-- How much longer the way of each rank was to the collectives at which it came last than that of
-- the rank whose arrival is the median, where both come from the same collective. A cause is named
-- where it explains at least 20 per cent of the lateness against that rank. Ranks that came last to
-- no such collective have no row here.
CREATE PERFETTO MACRO tpt_collective_lateness(
  -- How ranks come to collectives: `tpt_collective_approach`, or some rows of it.
  approach TableOrSubquery
)
-- rank, NULL in the trace of one rank; work_ns, time that kernels and copies ran longer, ns;
-- gaps_ns, time that nothing ran longer, ns; cause of most of the lateness: work or idle, NULL
-- where neither explains 20 per cent; caused_by: for work the kernel or copy that ran longer, for
-- idle the one that started late, NULL where no name explains 20 per cent; caused_by_ns, how much
-- longer, all of this name together, ns, NULL likewise; late_kernel and late_kernel_ns, the kernel
-- or copy that ran longer, whatever the cause, NULL likewise.
RETURNS TableOrSubquery AS
(
  WITH
    -- the last rank and the median one, where both come from the same collective
    pair AS (
      SELECT
        late.rank AS late_rank,
        late.id AS late_id,
        usual.id AS usual_id,
        late.behind_first - usual.behind_first AS late_by
      FROM $approach AS late
      JOIN $approach AS usual USING (match_id, match_before)
      WHERE
        late.is_sure AND late.is_last AND usual.is_median
    ),
    side AS MATERIALIZED (
      SELECT pair.late_id || ' late' AS way, pair.late_rank, part.*, 1 AS sign
      FROM pair
      JOIN $approach AS part ON part.id = pair.late_id
      UNION ALL
      -- once for each of several that came last together
      SELECT pair.late_id || ' usual', pair.late_rank, part.*, -1
      FROM pair
      JOIN $approach AS part ON part.id = pair.usual_id
    ),
    point AS (
      SELECT id, upid, device, arrival AS at, FALSE AS is_work FROM side
      UNION ALL
      SELECT id, upid, device, ts, TRUE FROM tpt_collective_work
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
        side.way,
        side.late_rank,
        side.sign,
        side.since AS way_since,
        work.id AS work_id,
        work.name,
        MAX(work.ts, side.since) AS since,
        MIN(work.ts_end, side.arrival) AS until
      FROM ahead
      JOIN side USING (upid, device, arrival)
      JOIN tpt_collective_work AS work ON work.id = ahead.id
      WHERE
        ahead.is_work AND work.ts_end > side.since
    ),
    ordered AS MATERIALIZED (
      SELECT
        *,
        MAX(until) OVER (
          PARTITION BY way
          ORDER BY since, until, work_id
          ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS covered_until
      FROM spent
    ),
    busy AS (
      SELECT
        way,
        SUM(MAX(0, until - MAX(since, IFNULL(covered_until, since)))) AS busy_ns,
        MAX(until) AS until
      FROM ordered
      GROUP BY way
    ),
    kept AS (
      SELECT
        side.late_rank AS rank,
        SUM(side.sign * IFNULL(busy.busy_ns, 0)) AS work_ns,
        SUM(side.sign * (side.arrival - side.since - IFNULL(busy.busy_ns, 0))) AS gaps_ns
      FROM side
      LEFT JOIN busy USING (way)
      GROUP BY side.late_rank
    ),
    lateness AS (
      SELECT late_rank AS rank, SUM(late_by) AS late_ns FROM pair GROUP BY late_rank
    ),
    -- idle time goes to the work that ended it; at the end of the way that is the collective itself
    idle AS (
      SELECT
        late_rank,
        name,
        sign * MAX(0, since - IFNULL(covered_until, way_since)) AS excess_ns
      FROM ordered
      UNION ALL
      SELECT
        side.late_rank,
        part.name,
        side.sign * (side.arrival - IFNULL(MIN(busy.until, side.arrival), side.since))
      FROM side
      JOIN tpt_collective_rank AS part USING (id)
      LEFT JOIN busy USING (way)
    ),
    excess AS (
      SELECT late_rank AS rank, 'work' AS cause, name, SUM(sign * (until - since)) AS excess_ns
      FROM ordered
      GROUP BY late_rank, name
      UNION ALL
      SELECT late_rank, 'idle', name, SUM(excess_ns) FROM idle GROUP BY late_rank, name
    ),
    worst AS (
      SELECT rank, cause, name, excess_ns
      FROM (
        SELECT
          *,
          ROW_NUMBER() OVER (PARTITION BY rank, cause ORDER BY excess_ns DESC, name) AS place
        FROM excess
      )
      JOIN lateness USING (rank)
      WHERE
        place = 1 AND excess_ns > 0 AND 100 * excess_ns >= 20 * late_ns
    ),
    judged AS (
      SELECT
        kept.*,
        CASE
          WHEN 100 * MAX(kept.work_ns, kept.gaps_ns) < 20 * late_ns OR late_ns <= 0 THEN NULL
          WHEN kept.work_ns >= kept.gaps_ns THEN 'work'
          ELSE 'idle'
        END AS cause
      FROM kept
      JOIN lateness ON lateness.rank IS kept.rank
    )
  SELECT
    judged.rank,
    judged.work_ns,
    judged.gaps_ns,
    judged.cause,
    blamed.name AS caused_by,
    blamed.excess_ns AS caused_by_ns,
    longest.name AS late_kernel,
    longest.excess_ns AS late_kernel_ns
  FROM judged
  LEFT JOIN worst AS blamed ON blamed.rank IS judged.rank AND blamed.cause = judged.cause
  LEFT JOIN worst AS longest ON longest.rank IS judged.rank AND longest.cause = 'work'
  ORDER BY judged.rank
);
