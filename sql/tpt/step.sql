-- Steps, and the GPU work of each.

INCLUDE PERFETTO MODULE tpt.arg;

INCLUDE PERFETTO MODULE tpt.process_rank;

INCLUDE PERFETTO MODULE tpt.row;

INCLUDE PERFETTO MODULE tpt.launched;

-- Whether an annotation is one round of an inference engine: `execute_...` (vLLM and others),
-- `step[` (SGLang), `_forward_step` (TensorRT-LLM).
CREATE PERFETTO FUNCTION tpt_is_iteration(
  -- Name of the annotation.
  name STRING
)
RETURNS BOOL AS
SELECT
  $name GLOB 'execute_*'
  OR $name GLOB 'step[[]*'
  OR $name GLOB '_forward_step*'
  OR $name GLOB '[[]Executor] _forward_step*';

-- Whether PyTorch itself writes an annotation of this name: it marks a part of a step, a collective
-- or compiled code, never a step.
CREATE PERFETTO FUNCTION tpt_is_part_of_step(
  -- Name of the annotation.
  name STRING
)
RETURNS BOOL AS
SELECT
  $name GLOB 'enumerate(*'
  OR $name GLOB 'Optimizer.*'
  OR $name GLOB 'DataParallel.*'
  OR $name GLOB 'DistributedDataParallel.*'
  OR $name GLOB 'FullyShardedDataParallel.*'
  OR $name GLOB 'FSDP::*'
  OR $name GLOB 'torch.distributed*'
  OR $name GLOB 'c10d::*'
  OR $name GLOB 'nccl:*'
  OR $name GLOB 'gloo:*'
  OR $name GLOB 'ucc:*'
  OR $name GLOB 'mpi:*'
  OR $name GLOB 'xccl:*'
  OR $name GLOB 'Torch-Compiled Region*'
  OR $name GLOB 'TorchDynamo *'
  OR $name GLOB 'CompiledFunction*'
  OR $name GLOB 'autograd::*'
  OR $name GLOB 'PyTorch Profiler*'
  OR $name GLOB '##*';

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
  annotation AS MATERIALIZED (
    SELECT
      s.id,
      s.track_id,
      s.name,
      s.ts,
      s.ts + tpt_recorded_dur!(s.arg_set_id, s.dur) AS ts_end,
      tpt_process_rank.rank,
      tpt_row.upid,
      tpt_row_id!(tpt_row.tid, tpt_row.row_id, s.arg_set_id) AS row_id,
      s.category = 'gpu_user_annotation' AS on_gpu,
      NULLIF(tpt_int_arg!(s.arg_set_id, 'External id'), 0) AS external_id,
      s.category IN ('cpu_op', 'Operator') AS is_op,
      s.name GLOB 'ProfilerStep*' AS is_profiler_step
    FROM slice AS s
    CROSS JOIN tpt_row USING (track_id)
    LEFT JOIN tpt_process_rank USING (upid)
    WHERE
      s.dur >= 0
      AND (
        s.category IN ('user_annotation', 'gpu_user_annotation')
        OR (s.category IN ('cpu_op', 'Operator') AND s.name GLOB 'ProfilerStep*')
      )
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
  ' ' || upid || ':' || row_id || ' ' AS stream
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
  joined AS (
    SELECT id, track_id, name, family, ts, ts_end, rank, upid, row_id, on_gpu, place
    FROM _tpt_mark
    WHERE
      NOT on_gpu
    UNION ALL
    SELECT
      first.id,
      first.track_id,
      first.name,
      first.family,
      first.ts,
      part.ts_end,
      first.rank,
      NULL,
      NULL,
      first.on_gpu,
      first.place
    FROM _tpt_gpu_group AS part
    CROSS JOIN _tpt_mark AS first USING (id)
  ),
  nested AS (
    SELECT
      *,
      MAX(ts_end) OVER (
        PARTITION BY rank, upid, row_id
        ORDER BY ts, ts_end DESC, id
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
      ) AS covered_until
    FROM joined
  ),
  outermost AS (
    SELECT *, place IN (3, 7) AS is_of_user
    FROM nested
    WHERE
      place IN (0, 1, 4) OR covered_until IS NULL OR covered_until < ts_end
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
  NOT is_of_user OR is_only OR (is_only_repeated AND count > 1)
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
