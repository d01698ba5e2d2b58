-- Annotations that may mark steps, by their names.

INCLUDE PERFETTO MODULE tpt.arg;

INCLUDE PERFETTO MODULE tpt.process_rank;

INCLUDE PERFETTO MODULE tpt.track;

INCLUDE PERFETTO MODULE tpt.step_name;

-- A name without its numbers: that of `iteration 9` and of `iteration 10`.
CREATE PERFETTO FUNCTION _tpt_without_numbers(
  -- Name.
  name STRING
)
RETURNS STRING AS
WITH
  -- digit by digit
  low AS (
    SELECT REPLACE(REPLACE(REPLACE(REPLACE($name, '0', ''), '1', ''), '2', ''), '3', '') AS name
  ),
  middle AS (
    SELECT REPLACE(REPLACE(REPLACE(name, '4', ''), '5', ''), '6', '') AS name FROM low
  )
SELECT REPLACE(REPLACE(REPLACE(name, '7', ''), '8', ''), '9', '')
FROM middle;

-- Annotations that may mark steps, of the best kind that their rank has: ProfilerSteps of the CPU,
-- also where PyTorch 1.8 and 1.9 wrote them as ops; rounds of an inference engine; any others but
-- those of PyTorch. Without these of the CPU, those of the GPU in the same order.
CREATE PERFETTO TABLE _tpt_mark AS
WITH
  -- each part by the category alone, which TraceProcessor looks for itself
  possible AS (
    SELECT id, track_id, name, ts, dur, arg_set_id, category
    FROM slice
    WHERE
      category IN ('user_annotation', 'gpu_user_annotation') AND dur >= 0
    UNION ALL
    SELECT id, track_id, name, ts, dur, arg_set_id, category
    FROM slice
    WHERE
      category IN ('cpu_op', 'Operator') AND name GLOB 'ProfilerStep*' AND dur >= 0
  ),
  annotation AS MATERIALIZED (
    SELECT
      s.id,
      s.track_id,
      s.name,
      s.ts,
      s.ts + tpt_recorded_dur!(s.arg_set_id, s.dur) AS ts_end,
      tpt_process_rank.rank,
      tpt_track.upid,
      tpt_track_key!(tpt_track.tid, tpt_track.track_key, s.arg_set_id) AS track_key,
      s.category = 'gpu_user_annotation' AS on_gpu,
      NULLIF(tpt_int_arg!(s.arg_set_id, 'External id'), 0) AS external_id,
      s.category IN ('cpu_op', 'Operator') AS is_op,
      s.name GLOB 'ProfilerStep*' AS is_profiler_step
    FROM possible AS s
    CROSS JOIN tpt_track USING (track_id)
    LEFT JOIN tpt_process_rank USING (upid)
  ),
  kind AS MATERIALIZED (
    SELECT
      name,
      tpt_is_iteration(name) AS is_iteration,
      tpt_is_part_of_step(name) AS is_part,
      _tpt_without_numbers(name) AS family
    FROM (SELECT DISTINCT name FROM annotation)
  ),
  placed AS (
    SELECT
      annotation.*,
      kind.is_iteration,
      kind.family,
      -- 0 ProfilerStep, 1 ProfilerStep as an op, 2 round of an engine, 3 the user's; 4 to 7 on the
      -- GPU
      4 * on_gpu
      + CASE
        WHEN is_profiler_step THEN is_op
        WHEN kind.is_iteration THEN 2
        ELSE 3
      END AS place
    FROM annotation
    CROSS JOIN kind USING (name)
    WHERE
      annotation.is_profiler_step OR NOT kind.is_part
  )
SELECT *
FROM (SELECT *, MIN(place) OVER (PARTITION BY rank) AS best_place FROM placed)
WHERE
  place = best_place
ORDER BY id;

-- The annotations of the GPU, numbered so that those that are one annotation follow each other: the
-- profiler writes one per stream that it reaches. `is_same`: by its number (ProfilerStep) or
-- External id it is one with the one before; NULL: neither says.
CREATE PERFETTO TABLE _tpt_gpu_mark AS
WITH
  keyed AS (
    SELECT
      *,
      COALESCE(rank, '')
      || IIF(is_profiler_step, ' ', ' ' || COALESCE(external_id, '') || ' ')
      || name AS key
    FROM _tpt_mark
    WHERE
      on_gpu
  )
SELECT
  ROW_NUMBER() OVER key_order AS number,
  CASE
    WHEN LAG(key) OVER key_order IS NOT key THEN 0
    WHEN is_profiler_step OR external_id IS NOT NULL THEN 1
  END AS is_same,
  id,
  ts,
  ts_end,
  ' ' || upid || ':' || track_key || ' ' AS stream
FROM keyed
WINDOW key_order AS (ORDER BY key, ts, id)
ORDER BY number;

-- The first of the annotations of the GPU that are one, and when the last of them ends. Where
-- neither number nor External id says, those of one name that overlap in time are, each on another
-- stream.
CREATE PERFETTO TABLE _tpt_gpu_group AS
WITH RECURSIVE
  mark AS MATERIALIZED (
    SELECT * FROM _tpt_gpu_mark
  ),
  walk(number, first, streams, until) AS (
    SELECT 0, 0, '', 0
    UNION ALL
    SELECT
      mark.number,
      IIF(joins.answer, walk.first, mark.number),
      IIF(joins.answer, walk.streams || mark.stream, mark.stream),
      IIF(joins.answer, MAX(walk.until, mark.ts_end), mark.ts_end)
    FROM walk
    CROSS JOIN mark ON mark.number = walk.number + 1
    CROSS JOIN (SELECT 0 AS answer UNION ALL SELECT 1) AS joins
      ON joins.answer = COALESCE(
        mark.is_same,
        mark.ts < walk.until AND INSTR(walk.streams, mark.stream) = 0
      )
  )
SELECT first.id, MAX(walk.until) AS ts_end
FROM walk
CROSS JOIN mark AS first ON first.number = walk.first
GROUP BY first.id
ORDER BY first.id;

-- Annotations that may mark steps, of the best kind that their rank has. Those of the GPU that are
-- one have one row.
CREATE PERFETTO TABLE tpt_step_mark(
  -- Id of the annotation's slice; on the GPU of the first.
  id JOINID(slice.id),
  -- Its track.
  track_id JOINID(track.id),
  -- Its name.
  name STRING,
  -- Its name without numbers.
  family STRING,
  -- Its start, ns.
  ts TIMESTAMP,
  -- Its end as recorded, ns; on the GPU that of the last.
  ts_end TIMESTAMP,
  -- Its rank; NULL in the trace of one rank.
  rank LONG,
  -- Its process; NULL for annotations of the GPU.
  upid JOINID(process.id),
  -- The track of its thread, as `tpt_track_key!` has it; NULL likewise.
  track_key LONG,
  -- 1: an annotation of the GPU, 0: of the CPU.
  on_gpu BOOL,
  -- ProfilerStep, round (of an inference engine), or user (any other that is not PyTorch's).
  kind STRING
) AS
WITH
  joined AS (
    SELECT id, ts_end, upid, track_key FROM _tpt_mark WHERE NOT on_gpu
    UNION ALL
    SELECT id, ts_end, NULL, NULL FROM _tpt_gpu_group
  )
SELECT
  mark.id,
  mark.track_id,
  mark.name,
  mark.family,
  mark.ts,
  joined.ts_end,
  mark.rank,
  joined.upid,
  joined.track_key,
  mark.on_gpu,
  CASE
    WHEN mark.is_profiler_step THEN 'ProfilerStep'
    WHEN mark.is_iteration THEN 'round'
    ELSE 'user'
  END AS kind
FROM joined
CROSS JOIN _tpt_mark AS mark USING (id)
ORDER BY mark.id;
