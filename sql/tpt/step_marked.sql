-- Steps that annotations mark.

INCLUDE PERFETTO MODULE tpt.step_mark;

-- The steps that annotations mark: the ProfilerSteps of a rank; without them the rounds of an
-- inference engine; without these the user's own annotations, where those of a thread have one
-- name, numbers aside, or only one name that comes more than once: else they mark parts of steps.
-- An annotation within another one of the same kind, on the same thread, is no step; ProfilerSteps
-- all are.
CREATE PERFETTO TABLE tpt_step_marked(
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
  -- The track of its thread, as `tpt_track_key!` has it; NULL likewise.
  track_key LONG,
  -- 1: an annotation of the GPU, 0: of the CPU.
  on_gpu BOOL,
  -- What it is: ProfilerStep, engine (a round of an inference engine) or annotation (the user's).
  rule STRING
) AS
WITH
  nested AS (
    SELECT
      *,
      MAX(ts_end) OVER (
        PARTITION BY rank, upid, track_key
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
      COUNT(*) OVER (PARTITION BY rank, upid, track_key, family) AS count,
      MIN(family) OVER thread = MAX(family) OVER thread AS is_only
    FROM outermost
    WINDOW thread AS (PARTITION BY rank, upid, track_key)
  ),
  repeated AS (
    SELECT
      *,
      MIN(IIF(count > 1, family, NULL)) OVER thread
      = MAX(IIF(count > 1, family, NULL)) OVER thread AS is_only_repeated
    FROM counted
    WINDOW thread AS (PARTITION BY rank, upid, track_key)
  )
SELECT
  id,
  track_id,
  name,
  ts,
  ts_end,
  rank,
  upid,
  track_key,
  on_gpu,
  CASE kind
    WHEN 'round' THEN 'engine'
    WHEN 'user' THEN 'annotation'
    ELSE kind
  END AS rule
FROM repeated
WHERE
  kind != 'user' OR is_only OR (is_only_repeated AND count > 1)
ORDER BY id;
