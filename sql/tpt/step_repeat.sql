-- Steps that nothing marks: the GPU work that repeats until the trace ends.

INCLUDE PERFETTO MODULE tpt.launched;

INCLUDE PERFETTO MODULE tpt.step_marked;

-- Launches of the ranks that have no marked steps, in order, with what each launched. A rank whose
-- launches are not recorded has its pieces of GPU work instead. A second series of a rank that
-- spends most of its GPU time in graphs holds the launches of graphs alone. Ranks that launch from
-- several processes, or that have several devices and no launches, are not here.
CREATE PERFETTO TABLE _tpt_repeat_launch AS
WITH
  unmarked AS MATERIALIZED (
    SELECT
      COALESCE(rank, -1) AS rank_or_none,
      MAX(launch_id) IS NULL AS on_gpu
    FROM tpt_launched
    WHERE
      COALESCE(rank, -1) NOT IN (SELECT COALESCE(rank, -1) FROM tpt_step_marked)
    GROUP BY 1
    HAVING
      COUNT(DISTINCT launch_upid) = 1
      OR (MAX(launch_id) IS NULL AND COUNT(DISTINCT upid * 1000 + device) = 1)
  ),
  work AS (
    SELECT
      unmarked.rank_or_none,
      unmarked.on_gpu,
      IIF(unmarked.on_gpu, work.id, work.launch_id) AS launch,
      IIF(unmarked.on_gpu, work.ts, work.launch_ts) AS at,
      IIF(unmarked.on_gpu, work.ts_end, work.launch_ts + work.launch_dur) AS at_end,
      work.launch_name GLOB '*GraphLaunch*' AS is_graph,
      work.*
    FROM tpt_launched AS work
    CROSS JOIN unmarked ON unmarked.rank_or_none = COALESCE(work.rank, -1)
    WHERE
      unmarked.on_gpu OR work.launch_id IS NOT NULL
  ),
  launch AS MATERIALIZED (
    SELECT
      rank_or_none,
      rank,
      on_gpu,
      is_graph,
      at,
      at_end,
      MIN(id) AS id,
      track_id,
      launch_upid AS upid,
      launch_track_key AS track_key,
      COUNT(*) AS events,
      SUM(dur) AS gpu_ns,
      -- the names of all that it launched, in any order
      SUM(HASH(COALESCE(name, '')) & ((1 << 40) - 1)) AS content
    FROM work
    GROUP BY rank_or_none, launch
  ),
  graph_rank AS (
    SELECT rank_or_none
    FROM launch
    GROUP BY rank_or_none
    HAVING
      2 * SUM(IIF(is_graph, gpu_ns, 0)) > SUM(gpu_ns)
  )
SELECT ROW_NUMBER() OVER (ORDER BY series, at, id) AS place, *
FROM (
  SELECT 2 * rank_or_none AS series, * FROM launch
  UNION ALL
  SELECT 2 * rank_or_none + 1, *
  FROM launch
  WHERE
    is_graph AND rank_or_none IN (SELECT rank_or_none FROM graph_rank)
)
ORDER BY place;

-- Each series, from where on it repeats, and after how many launches: what comes that many later is
-- the same, up to the end of the series, three times or more. A cycle has at least two pieces of
-- work, and is not one launch of one piece again and again. What came before the first cycle (a
-- first step allocates and tunes) must have launched all that a cycle does, else the cycle may be a
-- layer of the only step. Of the periods the rarest launch tells, of those that come again near the
-- end.
CREATE PERFETTO TABLE _tpt_repeat_cycle AS
WITH
  series AS MATERIALIZED (
    SELECT series, MIN(place) AS first, MAX(place) AS last, COUNT(*) AS launches
    FROM _tpt_repeat_launch
    GROUP BY series
  ),
  kind AS (
    SELECT launch.series, launch.content, COUNT(*) AS count, MIN(launch.place) AS place
    FROM _tpt_repeat_launch AS launch
    CROSS JOIN series USING (series)
    GROUP BY launch.series, launch.content
    HAVING
      COUNT(*) >= 3 AND MAX(launch.place) > series.last - series.launches / 3
  ),
  rarest AS MATERIALIZED (
    SELECT series, content
    FROM (
      SELECT *, ROW_NUMBER() OVER (PARTITION BY series ORDER BY count, place) AS choice FROM kind
    )
    WHERE
      choice = 1
  ),
  again AS (
    SELECT
      launch.series,
      MAX(launch.place) OVER (PARTITION BY launch.series) - launch.place AS period,
      ROW_NUMBER() OVER (PARTITION BY launch.series ORDER BY launch.place DESC) AS times
    FROM _tpt_repeat_launch AS launch
    CROSS JOIN rarest USING (series, content)
  ),
  candidate AS MATERIALIZED (
    -- the rarest launch comes at most four times in a cycle
    SELECT again.series, again.period, series.first, series.last
    FROM again
    CROSS JOIN series USING (series)
    WHERE
      again.times BETWEEN 2 AND 5 AND 3 * again.period <= series.launches
  ),
  checked AS (
    SELECT
      candidate.series,
      candidate.period,
      candidate.first,
      candidate.last,
      COALESCE(MAX(IIF(later.content != launch.content, launch.place, NULL)) + 1, candidate.first)
        AS start
    FROM candidate
    CROSS JOIN _tpt_repeat_launch AS launch
      ON launch.place BETWEEN candidate.first AND candidate.last - candidate.period
    CROSS JOIN _tpt_repeat_launch AS later ON later.place = launch.place + candidate.period
    GROUP BY candidate.series, candidate.period
  ),
  aligned AS (
    -- with something else before them cycles count from the end of the series
    SELECT
      series,
      period,
      first,
      last,
      start + IIF(start > first, (last - start + 1) % period, 0) AS start
    FROM checked
  ),
  repeating AS MATERIALIZED (
    SELECT aligned.*
    FROM aligned
    CROSS JOIN _tpt_repeat_launch AS launch
      ON launch.place BETWEEN aligned.start AND aligned.start + aligned.period - 1
    WHERE
      aligned.last - aligned.start + 1 >= 3 * aligned.period
    GROUP BY aligned.series, aligned.period
    HAVING
      MIN(launch.content) != MAX(launch.content) OR MIN(launch.events) > 1
  ),
  -- launches that a cycle has more often than what came before it
  lacking AS (
    SELECT DISTINCT series, period
    FROM (
      SELECT repeating.series, repeating.period, launch.content
      FROM repeating
      CROSS JOIN _tpt_repeat_launch AS launch
        ON launch.place BETWEEN repeating.first AND repeating.start + repeating.period - 1
      WHERE
        repeating.start > repeating.first
      GROUP BY repeating.series, repeating.period, launch.content
      HAVING
        SUM(IIF(launch.place >= repeating.start, 1, -1)) > 0
    )
  )
SELECT series, period, start, last
FROM (
  SELECT
    repeating.*,
    ROW_NUMBER() OVER (
      PARTITION BY (repeating.series + 2) / 2 ORDER BY repeating.series, repeating.period
    ) AS choice
  FROM repeating
  LEFT JOIN lacking USING (series, period)
  WHERE
    lacking.series IS NULL
)
WHERE
  choice = 1
ORDER BY series;

-- The steps of ranks in which nothing marks steps: cycles of launches that repeat up to the end of
-- the trace. A step is a whole cycle. It begins with the first launch of the trace, or with the
-- first after what differs: where in the code a cycle begins is not known, how long it takes is.
CREATE PERFETTO TABLE tpt_step_repeat(
  -- Id of the slice of its first GPU work.
  id JOINID(slice.id),
  -- The track of that.
  track_id JOINID(track.id),
  -- Start of its first launch, ns; where no launches are recorded of its first work.
  ts TIMESTAMP,
  -- Start of the first launch after it, ns; where there is none the end of its last.
  ts_end TIMESTAMP,
  -- Its rank; NULL in the trace of one rank.
  rank LONG,
  -- The process that launches; NULL where no launches are recorded.
  upid JOINID(process.id),
  -- The track of the thread of the rank's first launch, as `tpt_track_key!` has it; NULL likewise.
  track_key LONG,
  -- 1: no launches are recorded, else 0.
  on_gpu BOOL,
  -- 1: nothing was launched after it, else 0.
  is_open BOOL
) AS
SELECT
  launch.id,
  launch.track_id,
  launch.at AS ts,
  COALESCE(next.at, MAX(inner_launch.at_end)) AS ts_end,
  launch.rank,
  launch.upid,
  FIRST_VALUE(launch.track_key) OVER (PARTITION BY cycle.series ORDER BY launch.place) AS track_key,
  launch.on_gpu,
  next.at IS NULL AS is_open
FROM _tpt_repeat_cycle AS cycle
CROSS JOIN _tpt_repeat_launch AS launch
  ON launch.place BETWEEN cycle.start AND cycle.last - cycle.period + 1
  AND (launch.place - cycle.start) % cycle.period = 0
CROSS JOIN _tpt_repeat_launch AS inner_launch
  ON inner_launch.place BETWEEN launch.place AND launch.place + cycle.period - 1
LEFT JOIN _tpt_repeat_launch AS next
  ON next.place = launch.place + cycle.period AND next.series = cycle.series
GROUP BY launch.place
ORDER BY launch.id;
