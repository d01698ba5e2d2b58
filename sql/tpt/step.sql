-- Steps, and the GPU work of each.

INCLUDE PERFETTO MODULE tpt.step_mark;

INCLUDE PERFETTO MODULE tpt.work_in;

-- The steps of each rank: its ProfilerSteps; without them the rounds of an inference engine;
-- without these the user's own annotations, where those of a thread have one name, numbers aside,
-- or only one name that comes more than once: else they mark parts of steps. An annotation within
-- another one of the same kind, on the same thread, is no step; ProfilerSteps all are.
CREATE PERFETTO TABLE tpt_step(
  -- The step, counted in the order of ranks and starts.
  seq LONG,
  -- Its number on its rank: that of the ProfilerStep, of other steps counted from 0.
  number LONG,
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
  COALESCE(
    IIF(kind = 'ProfilerStep', CAST(REGEXP_EXTRACT(name, '#([0-9]+)$') AS INT), NULL),
    ROW_NUMBER() OVER (PARTITION BY rank ORDER BY ts, id) - 1
  ) AS number,
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

-- The step of each piece of GPU work of ranks that have steps, see `tpt_work_in!`.
CREATE PERFETTO TABLE tpt_step_work(
  -- Id of the work's slice.
  id JOINID(slice.id),
  -- Its step, as in `tpt_step`; NULL: of none.
  seq LONG,
  -- The number of the step on its rank; NULL likewise.
  number LONG,
  -- Why it is of none: launch not recorded, or outside steps; NULL for work of a step.
  reason STRING
) AS
SELECT work.id, work.seq, step.number, REPLACE(work.reason, 'marks', 'steps') AS reason
FROM tpt_work_in!(tpt_step) AS work
LEFT JOIN tpt_step AS step USING (seq)
ORDER BY work.id;
