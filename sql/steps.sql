-- Step times: how long each step took on CPU and GPU, and how much of that the GPU worked for it.
--
-- A step is a ProfilerStep; without those an outermost annotation of the CPU, as inference engines
-- write them, single collectives aside; without these an outermost annotation of the GPU. Work
-- belongs to the step in which it was launched, so a step on the GPU ends later than on the CPU.
--
-- Grain: one row per step and device that it used; one without device where it used none.
-- Scope: rank
-- Needs: kernel, gpu_memcpy, gpu_memset, cuda_runtime, cuda_driver, xpu_runtime, user_annotation,
--   gpu_user_annotation
-- Paste: what `tp-tools sql steps` prints runs in the Query tab of any Perfetto UI.

INCLUDE PERFETTO MODULE tpt.gpu_slice;

INCLUDE PERFETTO MODULE tpt.step;

WITH
  work AS (
    SELECT step_work.seq, work.*
    FROM tpt_gpu_slice AS work
    CROSS JOIN tpt_step_work AS step_work USING (id)
  ),
  edge AS (
    SELECT seq, device, ts AS at, 1 AS step FROM work
    UNION ALL
    SELECT seq, device, ts_end, -1 FROM work
  ),
  change AS (
    SELECT seq, device, at, SUM(step) AS step FROM edge GROUP BY seq, device, at
  ),
  state AS (
    SELECT
      seq,
      device,
      LEAD(at) OVER step_order - at AS dur,
      SUM(step) OVER step_order AS running
    FROM change
    WINDOW step_order AS (PARTITION BY seq, device ORDER BY at)
  ),
  busy AS (
    SELECT seq, device, SUM(dur) AS busy_ns FROM state WHERE running > 0 GROUP BY seq, device
  ),
  total AS (
    SELECT
      seq,
      device,
      MIN(ts) AS gpu_ts,
      MAX(ts_end) - MIN(ts) AS gpu_dur,
      SUM(kind != 'copy') AS kernels,
      SUM(kind = 'collective') AS collectives,
      SUM(kind = 'copy') AS copies
    FROM work
    GROUP BY seq, device
  )
SELECT
  -- rank; NULL in the trace of one rank
  step.rank,
  -- name of the annotation
  step.name,
  -- its start on the CPU, ns; on the GPU where the CPU has none
  step.ts,
  -- its duration there, ns
  step.ts_end - step.ts AS dur,
  -- device; NULL where the step launched no work
  total.device,
  -- start of its first work on the device, ns; NULL likewise
  total.gpu_ts,
  -- from there to the end of its last work, ns; NULL likewise
  total.gpu_dur,
  -- of that, while work of this step ran, ns; 0 without work
  COALESCE(busy.busy_ns, 0) AS busy_ns,
  -- gpu_dur - busy_ns, ns; NULL without work
  total.gpu_dur - COALESCE(busy.busy_ns, 0) AS idle_ns,
  -- kernels that it launched, collectives among them
  COALESCE(total.kernels, 0) AS kernels,
  -- collectives that it launched
  COALESCE(total.collectives, 0) AS collectives,
  -- copies and memsets that it launched
  COALESCE(total.copies, 0) AS copies,
  -- id of the annotation's slice in this trace; in the UI (v55 and later) a link to it
  step.id,
  -- id of its track in this trace
  step.track_id
FROM tpt_step AS step
LEFT JOIN total USING (seq)
LEFT JOIN busy USING (seq, device)
ORDER BY step.rank, step.ts, step.name, total.device;
