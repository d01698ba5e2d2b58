-- Step times: how long each step took on CPU and GPU, and how much of that the GPU worked for it.
--
-- A step is a ProfilerStep; without those a round of an inference engine (vLLM, SGLang,
-- TensorRT-LLM), else what the user's own annotations repeat; without any on the CPU, the same on
-- the GPU. What PyTorch annotates itself, such as Optimizer.step, is part of a step. Where nothing
-- marks steps, GPU work that repeats up to the end of the trace, three times or more, does: the
-- same launches (or graphs, where these hold most of the GPU time) in the same order. `rule` says
-- which it was. Work belongs to the step in which it was launched, so a step on the GPU ends later
-- than on the CPU. Where a rank has steps, work of none has rows without a name, by the reason:
-- kernels, copies and collectives add up to all.
--
-- Grain: one row per step and device that it used, one without device where it used none, and per
--   reason and device for which work is of no step.
-- Scope: rank
-- Needs: kernel, gpu_memcpy, gpu_memset, launch_calls, op_marks, user_annotation,
--   gpu_user_annotation
-- Set: rank RANGE  only these ranks
-- Set: steps RANGE  only work launched in these steps, by their number in steps
-- Paste: what `tp-tools sql steps` prints runs in the Query tab of any Perfetto UI.

INCLUDE PERFETTO MODULE tpt.gpu_slice;

INCLUDE PERFETTO MODULE tpt.step;

WITH
  work AS MATERIALIZED (
    -- one number per step, and below 0 per rank and reason for work of none
    SELECT
      COALESCE(
        step_work.seq,
        -2 * (COALESCE(work.rank, -1) + 2) - (step_work.reason = 'outside steps')
      ) AS seq,
      step_work.reason,
      -- without names: those of kernels are long, and take time to copy
      work.rank,
      work.device,
      work.ts,
      work.ts_end,
      work.kind
    FROM tpt_gpu_slice AS work
    CROSS JOIN tpt_step_work AS step_work USING (id)
  ),
  ordered AS (
    SELECT
      *,
      MAX(ts_end) OVER (
        PARTITION BY seq, device ORDER BY ts ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
      ) AS busy_until
    FROM work
  ),
  total AS (
    SELECT
      seq,
      device,
      rank,
      reason,
      MIN(ts) AS gpu_ts,
      MAX(ts_end) - MIN(ts) AS gpu_dur,
      SUM(MAX(0, ts_end - MAX(ts, COALESCE(busy_until, ts)))) AS busy_ns,
      SUM(kind != 'copy') AS kernels,
      SUM(kind = 'collective') AS collectives,
      SUM(kind = 'copy') AS copies
    FROM ordered
    GROUP BY seq, device
  ),
  step AS (
    SELECT
      rank,
      number,
      name,
      rule,
      ts,
      IIF(is_open, NULL, ts_end) AS ts_end,
      seq,
      NULL AS reason,
      id,
      track_id
    FROM tpt_step
    UNION ALL
    SELECT DISTINCT rank, NULL, NULL, NULL, NULL, NULL, seq, reason, NULL, NULL
    FROM total
    WHERE
      seq < 0
  )
SELECT
  -- rank; NULL in the trace of one rank
  step.rank,
  -- its number on its rank: that of the ProfilerStep, of other steps counted from 0; NULL: GPU work
  -- of no step
  step.number,
  -- name of the annotation, or repetition and its number; NULL: GPU work of no step
  step.name,
  -- what makes it a step: ProfilerStep, engine (a round of an inference engine), annotation (of the
  -- user), or repetition (of GPU work where nothing marks steps); NULL for work of no step
  step.rule,
  -- its start on the CPU, ns; on the GPU where the CPU has none; NULL
  -- for work of no step
  step.ts,
  -- its duration there, ns; NULL likewise, and for a repetition that nothing follows
  step.ts_end - step.ts AS dur,
  -- device; NULL where the step launched no work
  total.device,
  -- start of its first work on the device, ns; NULL without work
  total.gpu_ts,
  -- from there to the end of its last work, ns; NULL without work
  total.gpu_dur,
  -- of that, while work of this step ran, ns; 0 without work
  COALESCE(total.busy_ns, 0) AS busy_ns,
  -- gpu_dur - busy_ns, ns; NULL without work
  total.gpu_dur - total.busy_ns AS idle_ns,
  -- kernels that it launched, collectives among them
  COALESCE(total.kernels, 0) AS kernels,
  -- collectives that it launched
  COALESCE(total.collectives, 0) AS collectives,
  -- copies and memsets that it launched
  COALESCE(total.copies, 0) AS copies,
  -- why the work is of no step: launch not recorded, outside steps (launched in none; where the
  -- rank has no launches, started in none); NULL for steps
  step.reason,
  -- id of the annotation's slice in this trace, or of a repetition's first GPU work; in the UI (v55
  -- and later) a link to it
  step.id,
  -- id of its track in this trace
  step.track_id
FROM step
LEFT JOIN total USING (seq)
WHERE
  (step.rank IS NULL OR tpt_set_rank!(step.rank)) AND tpt_set_steps!(step.number)
ORDER BY step.rank, step.name IS NULL, step.ts, step.name, step.reason, total.device;
