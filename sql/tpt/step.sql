-- Steps, and the GPU work of each.

INCLUDE PERFETTO MODULE tpt.launched;

INCLUDE PERFETTO MODULE tpt.step_mark;

-- The steps of each rank: its ProfilerSteps; without them the rounds of an inference engine;
-- without these the user's own annotations, where those of a thread have one name, numbers aside,
-- or only one name that comes more than once: else they mark parts of steps. An annotation within
-- another one of the same kind, on the same thread, is no step; ProfilerSteps all are.
CREATE PERFETTO TABLE tpt_step(
  -- Number of the step, in the order of ranks and starts.
  seq LONG,
  -- Id of the annotation's slice.
  id JOINID(slice.id),
  -- Its track.
  track_id JOINID(track.id),
  -- Name of the annotation.
  name STRING,
  -- Its start, ns.
  ts TIMESTAMP,
  -- Its end as recorded, ns.
  ts_end TIMESTAMP,
  -- Its rank; NULL in the trace of one rank.
  rank LONG,
  -- Its process; NULL for annotations of the GPU.
  upid JOINID(process.id),
  -- The row of its thread, as `tpt_row_id!` has it; NULL likewise.
  row_id LONG,
  -- 1: an annotation of the GPU, 0: of the CPU.
  on_gpu BOOL
) AS
WITH
  nested AS (
    SELECT
      *,
      MAX(ts_end) OVER (
        PARTITION BY rank, upid, row_id
        ORDER BY ts, ts_end DESC, id
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
      ) AS covered_until
    FROM tpt_step_mark
  ),
  outermost AS (
    SELECT *
    FROM nested
    WHERE
      kind = 'ProfilerStep' OR covered_until IS NULL OR covered_until < ts_end
  ),
  counted AS (
    SELECT
      *,
      COUNT(*) OVER (PARTITION BY rank, upid, row_id, family) AS count,
      MIN(family) OVER thread = MAX(family) OVER thread AS is_only
    FROM outermost
    WINDOW thread AS (PARTITION BY rank, upid, row_id)
  ),
  repeated AS (
    SELECT
      *,
      MIN(IIF(count > 1, family, NULL)) OVER thread
      = MAX(IIF(count > 1, family, NULL)) OVER thread AS is_only_repeated
    FROM counted
    WINDOW thread AS (PARTITION BY rank, upid, row_id)
  )
SELECT
  ROW_NUMBER() OVER (ORDER BY rank, ts, id) AS seq,
  id,
  track_id,
  name,
  ts,
  ts_end,
  rank,
  upid,
  row_id,
  on_gpu
FROM repeated
WHERE
  kind != 'user' OR is_only OR (is_only_repeated AND count > 1)
ORDER BY seq;

-- The step of each piece of GPU work of ranks that have steps: the one in which it was launched, on
-- the same thread, or, for threads that mark no steps, on any thread of the process. Work without a
-- recorded launch is of no step. Where the rank has no launches, or steps of the GPU alone, the
-- step in which the work started.
CREATE PERFETTO TABLE tpt_step_work(
  -- Id of the work's slice.
  id JOINID(slice.id),
  -- Its step, as in `tpt_step`; NULL: of none.
  seq LONG,
  -- Why it is of none: launch not recorded, or outside steps; NULL for work of a step.
  reason STRING
) AS
WITH
  thread AS MATERIALIZED (
    SELECT
      ROW_NUMBER() OVER () AS thread,
      COALESCE(rank, -1) AS rank_or_none,
      upid,
      row_id,
      on_gpu
    FROM (SELECT DISTINCT rank, upid, row_id, on_gpu FROM tpt_step)
  ),
  rule AS MATERIALIZED (
    SELECT
      thread.rank_or_none,
      NOT thread.on_gpu AND MAX(work.launch_id) IS NOT NULL AS is_by_launch
    FROM (SELECT DISTINCT rank_or_none, on_gpu FROM thread) AS thread
    CROSS JOIN tpt_launched AS work ON COALESCE(work.rank, -1) = thread.rank_or_none
    GROUP BY thread.rank_or_none
  ),
  work AS MATERIALIZED (
    SELECT
      work.id,
      rule.rank_or_none,
      rule.is_by_launch,
      IIF(rule.is_by_launch, work.launch_ts, work.ts) AS at,
      work.launch_upid,
      own.thread AS own_thread
    FROM tpt_launched AS work
    CROSS JOIN rule ON rule.rank_or_none = COALESCE(work.rank, -1)
    LEFT JOIN thread AS own ON own.upid = work.launch_upid AND own.row_id = work.launch_row
  ),
  point AS (
    SELECT thread.thread, step.ts AS at, 0 AS is_work, step.seq, NULL AS id
    FROM tpt_step AS step
    CROSS JOIN thread
      ON thread.rank_or_none = COALESCE(step.rank, -1)
      AND thread.upid IS step.upid
      AND thread.row_id IS step.row_id
    UNION ALL
    SELECT thread.thread, work.at, 1, NULL, work.id
    FROM work
    CROSS JOIN thread USING (rank_or_none)
    WHERE
      NOT work.is_by_launch
      OR work.own_thread = thread.thread
      OR (work.own_thread IS NULL AND work.launch_upid = thread.upid)
  ),
  latest AS (
    SELECT
      id,
      at,
      MAX(seq) OVER (
        PARTITION BY thread
        ORDER BY at, is_work
        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
      ) AS seq
    FROM point
  ),
  in_step AS MATERIALIZED (
    -- of the steps that are open on several threads the one that began last
    SELECT latest.id, MAX(step.seq) AS seq
    FROM latest
    CROSS JOIN tpt_step AS step USING (seq)
    WHERE
      latest.id IS NOT NULL AND latest.at < step.ts_end
    GROUP BY latest.id
  )
SELECT
  work.id,
  in_step.seq,
  CASE
    WHEN in_step.seq IS NOT NULL THEN NULL
    WHEN work.at IS NULL THEN 'launch not recorded'
    ELSE 'outside steps'
  END AS reason
FROM work
LEFT JOIN in_step USING (id)
ORDER BY work.id;
