-- Steps, and the GPU work of each.

INCLUDE PERFETTO MODULE tpt.step_marked;

INCLUDE PERFETTO MODULE tpt.step_repeat;

INCLUDE PERFETTO MODULE tpt.work_in;

-- The steps of each rank: those that annotations mark, see `tpt_step_marked`; of ranks without any,
-- those that repeat, see `tpt_step_repeat`.
CREATE PERFETTO TABLE tpt_step(
  -- The step, counted in the order of ranks and starts.
  seq JOINID(tpt_step.seq),
  -- Its number on its rank: that of the ProfilerStep, of other steps counted from 0.
  number LONG,
  -- Id of the annotation's slice; of a repetition that of its first GPU work.
  id JOINID(slice.id),
  -- Its track.
  track_id JOINID(track.id),
  -- Name of the annotation; of a repetition its number.
  name STRING,
  -- Its start, ns.
  ts TIMESTAMP,
  -- Its end as recorded, ns; of a repetition where the next one begins.
  ts_end TIMESTAMP,
  -- Its rank; NULL in the trace of one rank.
  rank LONG,
  -- Its process; NULL for steps on the GPU.
  upid JOINID(process.id),
  -- The track of its thread, as `tpt_track_key!` has it; NULL likewise.
  track_key LONG,
  -- 1: a step on the GPU, 0: on the CPU.
  on_gpu BOOL,
  -- What made it a step: ProfilerStep, engine, annotation, or repetition.
  rule STRING,
  -- 1: a repetition after which nothing was launched, so that its end is not known; else 0.
  is_open BOOL
) AS
WITH
  every AS (
    SELECT id, track_id, name, ts, ts_end, rank, upid, track_key, on_gpu, rule, 0 AS is_open
    FROM tpt_step_marked
    UNION ALL
    SELECT
      id,
      track_id,
      'repetition',
      ts,
      ts_end,
      rank,
      upid,
      track_key,
      on_gpu,
      'repetition',
      is_open
    FROM tpt_step_repeat
  ),
  numbered AS (
    SELECT *, ROW_NUMBER() OVER (PARTITION BY rank ORDER BY ts, id) - 1 AS place FROM every
  )
SELECT
  ROW_NUMBER() OVER (ORDER BY rank, ts, id) AS seq,
  COALESCE(
    IIF(rule = 'ProfilerStep', CAST(REGEXP_EXTRACT(name, '#([0-9]+)$') AS INT), NULL), place
  ) AS number,
  id,
  track_id,
  IIF(rule = 'repetition', FORMAT('%s %d', name, place), name) AS name,
  ts,
  ts_end,
  rank,
  upid,
  track_key,
  on_gpu,
  rule,
  is_open
FROM numbered
ORDER BY seq;

-- The step of each piece of GPU work of ranks that have steps, see `tpt_work_in!`.
CREATE PERFETTO TABLE tpt_step_work(
  -- Id of the work's slice.
  id JOINID(slice.id),
  -- Its step, as in `tpt_step`; NULL: of none.
  seq JOINID(tpt_step.seq),
  -- The number of the step on its rank; NULL likewise.
  number LONG,
  -- Why it is of none: launch not recorded, or outside steps; NULL for work of a step.
  reason STRING
) AS
SELECT work.id, work.seq, step.number, REPLACE(work.reason, 'marks', 'steps') AS reason
FROM tpt_work_in!(tpt_step) AS work
LEFT JOIN tpt_step AS step USING (seq)
ORDER BY work.id;

-- The step in which each of some moments of the CPU lies: of those that are open on several threads
-- the one that began last.
CREATE PERFETTO MACRO tpt_step_at(
  -- The moments: id, rank, ts.
  moments TableOrSubquery
)
-- id; seq and number of the step, as in `tpt_step`, NULL: of none.
RETURNS TableOrSubquery AS
(
  WITH
    point AS (
      SELECT rank, ts AS at, seq, NULL AS id FROM tpt_step WHERE NOT on_gpu
      UNION ALL
      SELECT rank, ts, NULL, id FROM $moments
    ),
    latest AS (
      SELECT
        id,
        at,
        MAX(seq) OVER (
          PARTITION BY rank
          ORDER BY at, id IS NOT NULL
          ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS seq
      FROM point
    )
  SELECT latest.id, step.seq, step.number
  FROM latest
  LEFT JOIN tpt_step AS step ON step.seq = latest.seq AND latest.at < step.ts_end
  WHERE
    latest.id IS NOT NULL
);
