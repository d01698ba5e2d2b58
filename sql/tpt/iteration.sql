-- Iterations of inference engines, read from their annotations, and the GPU work of each.

INCLUDE PERFETTO MODULE tpt.arg;

INCLUDE PERFETTO MODULE tpt.process_rank;

INCLUDE PERFETTO MODULE tpt.track;

INCLUDE PERFETTO MODULE tpt.step_mark;

INCLUDE PERFETTO MODULE tpt.step_name;

INCLUDE PERFETTO MODULE tpt.work_in;

-- A number in the name of an annotation; NULL where it has none there.
CREATE PERFETTO MACRO _tpt_number(
  name Expr,
  -- Regular expression with one group.
  pattern Expr
)
RETURNS Expr AS
CAST(REGEXP_EXTRACT($name, $pattern) AS INT);

-- The names of iterations, read as their engines write them:
--   execute_context_2(512)_generation_8(8), and with sums of squares execute_context_2(512_131584)
--     and execute_520_context_2(sq512sk512...)_generation_8(sq8sk..., vLLM and its forks: requests
--     and tokens (vllm/v1/worker/gpu_worker.py)
--   execute_new_2_cached_0, vLLM before: cached requests may be of either phase
--   step[EXTEND bs=2 toks=512], step[DECODE bs=8 g_sq=8 ...], SGLang: mode, requests, tokens
--     (sglang/srt/utils/profile_utils.py, sglang/srt/model_executor/step_span_utils.py)
--   [Executor] _forward_step 7: 2 ctx reqs, 512 ctx tokens, 8 gen reqs, TensorRT-LLM
--     (tensorrt_llm/_torch/pyexecutor/py_executor.py)
CREATE PERFETTO TABLE _tpt_iteration_name AS
WITH
  mark AS (
    SELECT DISTINCT name
    FROM slice
    WHERE
      category IN ('user_annotation', 'gpu_user_annotation') AND tpt_is_iteration(name)
  ),
  number AS (
    SELECT
      name,
      UPPER(REGEXP_EXTRACT(name, '^step[[]([A-Za-z_0-9]+)')) AS mode,
      _tpt_number!(name, ' bs=([0-9]+)') AS requests,
      COALESCE(
        _tpt_number!(name, 'context_([0-9]+)[(]'),
        _tpt_number!(name, '[: ]([0-9]+) ctx reqs'),
        _tpt_number!(name, ' c=([0-9]+)')
      ) AS prefill_requests,
      COALESCE(
        _tpt_number!(name, 'generation_([0-9]+)[(]'),
        _tpt_number!(name, ' ([0-9]+) gen reqs'),
        _tpt_number!(name, ' g=([0-9]+)')
      ) AS decode_requests,
      COALESCE(
        _tpt_number!(name, 'context_[0-9]+[(]s?q?([0-9]+)'),
        _tpt_number!(name, ' ([0-9]+) ctx tokens'),
        _tpt_number!(name, ' toks=([0-9]+)'),
        _tpt_number!(name, ' c_sq=([0-9]+)')
      ) AS prefill_tokens,
      COALESCE(
        _tpt_number!(name, 'generation_[0-9]+[(]s?q?([0-9]+)'),
        _tpt_number!(name, ' g_sq=([0-9]+)')
      ) AS decode_tokens,
      _tpt_number!(name, '^execute_new_([0-9]+)_cached_[0-9]+') AS new_requests,
      _tpt_number!(name, '^execute_new_[0-9]+_cached_([0-9]+)') AS cached_requests
    FROM mark
  ),
  told AS (
    SELECT
      *,
      CASE
        WHEN mode IN ('EXTEND', 'PREFILL', 'SPLIT_PREFILL') THEN 'prefill'
        WHEN mode IN ('DECODE', 'MIXED', 'IDLE') THEN LOWER(mode)
        WHEN mode IN ('VERIFY', 'TARGET_VERIFY') THEN 'verify'
        WHEN mode GLOB 'DRAFT*' THEN 'draft'
        WHEN mode IS NOT NULL THEN NULL
        WHEN prefill_requests > 0 AND decode_requests > 0 THEN 'mixed'
        WHEN prefill_requests > 0 AND decode_requests = 0 THEN 'prefill'
        WHEN prefill_requests = 0 AND decode_requests > 0 THEN 'decode'
        WHEN prefill_requests = 0 AND decode_requests = 0 THEN 'idle'
        WHEN new_requests > 0 AND cached_requests = 0 THEN 'prefill'
      END AS phase
    FROM number
  )
SELECT
  name,
  phase,
  COALESCE(
    requests, prefill_requests + decode_requests, new_requests + cached_requests
  ) AS requests,
  COALESCE(
    prefill_requests, IIF(phase = 'prefill', COALESCE(requests, new_requests), NULL)
  ) AS prefill_requests,
  COALESCE(decode_requests, IIF(phase = 'decode', requests, NULL)) AS decode_requests,
  -- a draft model's tokens are of neither
  IIF(phase = 'draft', NULL, prefill_tokens) AS prefill_tokens,
  IIF(phase = 'draft', NULL, decode_tokens) AS decode_tokens
FROM told
ORDER BY name;

-- The annotations of iterations: those of the CPU, also beside ProfilerSteps, else those of the GPU
-- that `tpt_step_mark` has. Where any of a rank says its phase, only those that do.
CREATE PERFETTO TABLE _tpt_iteration_mark AS
WITH
  cpu AS (
    SELECT
      s.id,
      s.track_id,
      s.name,
      s.ts,
      s.ts + tpt_recorded_dur!(s.arg_set_id, s.dur) AS ts_end,
      tpt_process_rank.rank,
      tpt_track.upid,
      tpt_track_key!(tpt_track.tid, tpt_track.track_key, s.arg_set_id) AS track_key,
      FALSE AS on_gpu
    FROM slice AS s
    CROSS JOIN tpt_track USING (track_id)
    LEFT JOIN tpt_process_rank USING (upid)
    WHERE
      s.category = 'user_annotation' AND s.dur >= 0 AND tpt_is_iteration(s.name)
  ),
  every AS (
    SELECT * FROM cpu
    UNION ALL
    SELECT id, track_id, name, ts, ts_end, rank, upid, track_key, on_gpu
    FROM tpt_step_mark
    WHERE
      on_gpu AND kind = 'round'
  ),
  ranked AS (
    SELECT
      every.*,
      name.phase IS NOT NULL AS says_phase,
      MAX(name.phase IS NOT NULL) OVER (PARTITION BY every.rank) AS any_says_phase
    FROM every
    CROSS JOIN _tpt_iteration_name AS name USING (name)
    WINDOW in_rank AS (PARTITION BY every.rank)
  )
SELECT *
FROM ranked
WHERE
  says_phase = any_says_phase
ORDER BY id;

-- Iterations of inference engines, in the order of ranks and starts. An annotation within another
-- one on its thread is part of that one's iteration.
CREATE PERFETTO TABLE tpt_iteration(
  -- Number of the iteration.
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
  -- The track of its thread, as `tpt_track_key!` has it; NULL likewise.
  track_key LONG,
  -- 1: an annotation of the GPU, 0: of the CPU.
  on_gpu BOOL,
  -- prefill, decode, mixed, verify and draft (of speculative decoding), idle; NULL: the name does
  -- not say it.
  phase STRING,
  -- Requests in the batch; NULL likewise.
  requests LONG,
  -- Of these, in prefill; NULL likewise.
  prefill_requests LONG,
  -- Of these, in decode; NULL likewise.
  decode_requests LONG,
  -- Tokens in prefill; NULL likewise.
  prefill_tokens LONG,
  -- Tokens in decode; NULL likewise.
  decode_tokens LONG
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
    FROM _tpt_iteration_mark
  )
SELECT
  ROW_NUMBER() OVER (ORDER BY nested.rank, nested.ts, nested.id) AS seq,
  nested.id,
  nested.track_id,
  nested.name,
  nested.ts,
  nested.ts_end,
  nested.rank,
  nested.upid,
  nested.track_key,
  nested.on_gpu,
  told.phase,
  told.requests,
  told.prefill_requests,
  told.decode_requests,
  told.prefill_tokens,
  told.decode_tokens
FROM nested
CROSS JOIN _tpt_iteration_name AS told USING (name)
WHERE
  nested.covered_until IS NULL OR nested.covered_until < nested.ts_end
ORDER BY seq;

-- The iteration of each piece of GPU work of ranks that have iterations, see `tpt_work_in!`.
CREATE PERFETTO TABLE tpt_iteration_work(
  -- Id of the work's slice.
  id JOINID(slice.id),
  -- Its iteration, as in `tpt_iteration`; NULL: of none.
  seq LONG,
  -- Why it is of none: launch not recorded, or outside iterations; NULL for work of an iteration.
  reason STRING
) AS
SELECT id, seq, REPLACE(reason, 'marks', 'iterations') AS reason
FROM tpt_work_in!(tpt_iteration)
ORDER BY id;
