-- Samples of steps: what each step spent its time on, by level and name, as `tp-tools diff` asks.
--
-- The levels:
--   time        parts of the step's window on the device, as in verdict: step (all of it), compute,
--               communication, waiting, copy, cpu, sync, dependency, unknown. The parts add up to
--               step. cpu_step is the step on the CPU, by its annotation, if it has one
--   kernel      kernels, copies and memsets by name; detail says which of the three
--   collective  kernels of collectives by kind; detail is the process group
--   gap         idle gaps by the largest part of each, as in gaps, of the step that ended them
-- Times of kernels, collectives and gaps are sums of durations. A rank without steps is one sample,
-- without a number. Where a rank has steps, its work of none has rows with a reason.
--
-- Grain: one row per rank, step, reason, level, name and detail.
-- Scope: rank
-- Needs: kernel, gpu_memcpy, gpu_memset, launch_calls, op_marks, user_annotation,
--   gpu_user_annotation, collective
-- Set: rank RANGE  only these ranks
-- Set: steps RANGE  only these steps, by their number in steps
-- Shown first: rank, number, level, name, count, total_ns
-- Kernel names: name
-- Paste: what `tp-tools sql step_samples` prints runs in the Query tab of any Perfetto UI.

INCLUDE PERFETTO MODULE tpt.gap;

INCLUDE PERFETTO MODULE tpt.gap_part;

INCLUDE PERFETTO MODULE tpt.gpu_slice;

INCLUDE PERFETTO MODULE tpt.step;

INCLUDE PERFETTO MODULE tpt.step_window;

INCLUDE PERFETTO MODULE tpt.window_part;

INCLUDE PERFETTO MODULE tpt.collective.kind;

INCLUDE PERFETTO MODULE tpt.collective.part;

WITH
  win AS MATERIALIZED (
    SELECT
      win.rank,
      win.seq,
      IIF(win.part IN ('step', 'no steps'), NULL, win.part) AS reason,
      win.ts_end - win.ts AS dur,
      part.*
    FROM tpt_step_window AS win
    CROSS JOIN tpt_window_part AS part USING (window_id)
  ),
  part(name) AS (
    VALUES
      ('step'),
      ('compute'),
      ('communication'),
      ('waiting'),
      ('copy'),
      ('cpu'),
      ('sync'),
      ('dependency'),
      ('unknown')
  ),
  sample AS (
    SELECT
      win.rank,
      win.seq,
      win.reason,
      'time' AS level,
      part.name,
      NULL AS detail,
      CASE part.name
        WHEN 'step' THEN win.dur
        WHEN 'compute' THEN win.compute_ns
        WHEN 'communication' THEN win.communication_ns
        WHEN 'waiting' THEN win.waiting_ns
        WHEN 'copy' THEN win.copy_ns
        WHEN 'cpu' THEN win.cpu_ns
        WHEN 'sync' THEN win.sync_ns
        WHEN 'dependency' THEN win.dependency_ns
        WHEN 'unknown' THEN win.unknown_ns
      END AS ns,
      NULL AS bus_bytes
    FROM win
    CROSS JOIN part
    UNION ALL
    SELECT rank, seq, NULL, 'time', 'cpu_step', NULL, ts_end - ts, NULL
    FROM tpt_step
    WHERE
      NOT on_gpu AND rule != 'repetition'
    UNION ALL
    SELECT work.rank, of_step.seq, of_step.reason, 'kernel', work.name, work.kind, work.dur, NULL
    FROM tpt_gpu_slice AS work
    LEFT JOIN tpt_step_work AS of_step USING (id)
    UNION ALL
    SELECT
      it.rank,
      of_step.seq,
      of_step.reason,
      'collective',
      it.kind,
      COALESCE(NULLIF(it.process_group_desc, ''), it.process_group),
      it.ts_end - it.ts,
      tpt_bus_factor(it.kind, it.group_size) * it.bytes
    FROM tpt_collective_part AS it
    JOIN tpt_gpu_slice AS work USING (id)
    LEFT JOIN tpt_step_work AS of_step USING (id)
    UNION ALL
    SELECT
      after.rank,
      of_step.seq,
      of_step.reason,
      'gap',
      COALESCE(part.why, 'unknown'),
      IIF(part.why = 'sync', part.waited_in, NULL),
      gap.ts_end - gap.ts,
      NULL
    FROM tpt_gap AS gap
    CROSS JOIN tpt_gap_part AS part USING (gap_id)
    CROSS JOIN tpt_gpu_slice AS after ON after.id = gap.after_id
    LEFT JOIN tpt_step_work AS of_step ON of_step.id = gap.after_id
  ),
  total AS (
    SELECT
      rank,
      seq,
      reason,
      level,
      name,
      detail,
      COUNT(*) AS count,
      SUM(ns) AS total_ns,
      SUM(bus_bytes) AS bus_bytes
    FROM sample
    GROUP BY rank, seq, reason, level, name, detail
  )
SELECT
  -- rank; NULL in the trace of one rank
  total.rank,
  -- number of the step on its rank, as in steps; NULL: of no step, or the rank has none
  step.number,
  -- start of the step, as in steps, ns; NULL likewise
  step.ts AS step_ts,
  -- name of the step; NULL likewise
  step.name AS step,
  -- why it is of no step: launch not recorded, outside steps; before the first step, after the last
  -- step (windows); NULL for steps, and where the rank has none
  total.reason,
  -- time, kernel, collective, gap
  total.level,
  -- what it is, see above: a part of the window, a kernel, a kind of collective, a cause of gaps
  total.name,
  -- compute, collective or copy of a kernel; process group of a collective; of a gap with the cause
  -- sync the call; else NULL
  total.detail,
  -- how many there were in the step: windows, kernels, collectives, gaps
  total.count,
  -- their durations, summed, ns
  total.total_ns,
  -- sizes of the collectives whose size is known, each times the factor of busbw, bytes; NULL where
  -- none is known, and for other levels. Divided by total_ns it is the busbw that a rank sees, GB/s
  total.bus_bytes
FROM total
LEFT JOIN tpt_step AS step USING (seq)
WHERE
  (total.rank IS NULL OR tpt_set_rank!(total.rank)) AND tpt_set_steps!(step.number)
ORDER BY total.rank, step.seq, total.reason, total.level, total_ns DESC, total.name, total.detail;
