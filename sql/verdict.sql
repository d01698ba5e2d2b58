-- Verdict: what each step spends a device's time on, and what bounds it.
--
-- The time of a device, from its first to its last work, is cut into the windows of its steps: a
-- window ends with the last work that its step launched, and begins where the one before ends.
-- Windows add up to the row `all`, which is span_ns of gpu_time, and in each row
--   dur = compute_ns + communication_ns + waiting_ns + copy_ns + cpu_ns + sync_ns + dependency_ns
--     + unknown_ns.
-- The verdict is the largest of
--   GPU-bound            compute ran (compute_ns), or the work launched next waited for other work
--                        or for the GPU itself (dependency_ns)
--   communication-bound  collectives ran and no compute (communication_ns)
--   waiting for a rank   of such time, until the last rank had come (waiting_ns)
--   copy-bound           copies ran alone (copy_ns)
--   CPU-bound            nothing ran, since the CPU had not launched it (cpu_ns), or was in a call
--                        that held it (sync_ns)
-- and NULL where the time of which nothing is known is as large. Idle time has the parts of gaps;
-- waits are those of collectives_by_rank. Stacks and shapes slow the CPU: with them a step may be
-- CPU-bound that is not without.
--
-- Grain: one row per device and window of a step, and one per device for all its time.
-- Scope: job
-- Needs: kernel, gpu_memcpy, gpu_memset, launch_calls, cpu_op, python_function,
--   cpu_instant_event, user_annotation, gpu_user_annotation, collective
-- Args: device, stream, correlation, External id, Input type
-- Set: rank RANGE  only these ranks
-- Set: steps RANGE  only windows of these steps, by their number in steps
-- Parts: tpt.collective.part, tpt.collective.context, tpt.gpu_exposed, tpt.profiler, tpt.step,
--   tpt.step_window, tpt.window_time
-- Shown first: rank, part, number, dur, verdict, gpu_percent, waiting_percent, cpu_percent,
--   communication_percent, profiler, device, step
-- Paste: what `tp-tools sql verdict` prints runs in the Query tab of any Perfetto UI.

INCLUDE PERFETTO MODULE tpt.profiler;

INCLUDE PERFETTO MODULE tpt.step;

INCLUDE PERFETTO MODULE tpt.step_window;

INCLUDE PERFETTO MODULE tpt.window_part;

INCLUDE PERFETTO MODULE tpt.collective.approach;

WITH
  shared AS (
    SELECT rank FROM tpt_collective_approach WHERE is_sure GROUP BY rank
  ),
  of_window AS MATERIALIZED (
    SELECT win.*, win.ts_end - win.ts AS dur, part.*
    FROM tpt_step_window AS win
    CROSS JOIN tpt_window_part AS part USING (window_id)
  ),
  listed AS (
    SELECT
      rank,
      upid,
      device,
      0 AS window_id,
      NULL AS seq,
      'all' AS part,
      MIN(ts) AS ts,
      SUM(dur) AS dur,
      SUM(compute_ns) AS compute_ns,
      SUM(communication_ns) AS communication_ns,
      SUM(waiting_ns) AS waiting_ns,
      SUM(copy_ns) AS copy_ns,
      SUM(cpu_ns) AS cpu_ns,
      SUM(sync_ns) AS sync_ns,
      SUM(dependency_ns) AS dependency_ns,
      SUM(unknown_ns) AS unknown_ns
    FROM of_window
    GROUP BY upid, device
    UNION ALL
    SELECT
      rank,
      upid,
      device,
      window_id,
      seq,
      part,
      ts,
      dur,
      compute_ns,
      communication_ns,
      waiting_ns,
      copy_ns,
      cpu_ns,
      sync_ns,
      dependency_ns,
      unknown_ns
    FROM of_window
    WHERE
      part != 'no steps'
  ),
  bound AS (
    SELECT *, compute_ns + dependency_ns AS gpu_ns, cpu_ns + sync_ns AS host_ns
    FROM listed
  )
SELECT
  -- rank; NULL in the trace of one rank
  bound.rank,
  -- device
  bound.device,
  -- all, step, before the first step, after the last step
  bound.part,
  -- number of the step on its rank, as in steps; NULL for other parts
  tpt_step.number,
  -- name of the step, as in steps; NULL for other parts
  tpt_step.name AS step,
  -- start of the window, ns
  bound.ts,
  -- its duration, ns; 0 where work of steps before outlasted all of the step's own
  bound.dur,
  -- GPU-bound, communication-bound, waiting for a rank, copy-bound, CPU-bound, see above; NULL
  -- where no less of the time is not known, or there is none
  CASE MAX(
    bound.unknown_ns,
    bound.gpu_ns,
    bound.communication_ns,
    bound.waiting_ns,
    bound.copy_ns,
    bound.host_ns
  )
    WHEN bound.unknown_ns THEN NULL
    WHEN bound.gpu_ns THEN 'GPU-bound'
    WHEN bound.communication_ns THEN 'communication-bound'
    WHEN bound.waiting_ns THEN 'waiting for a rank'
    WHEN bound.copy_ns THEN 'copy-bound'
    ELSE 'CPU-bound'
  END AS verdict,
  -- compute_ns and dependency_ns, per cent of dur, 3 decimals; NULL where dur is 0
  ROUND(100.0 * bound.gpu_ns / NULLIF(bound.dur, 0), 3) AS gpu_percent,
  -- communication_ns, per cent of dur, 3 decimals; NULL likewise
  ROUND(100.0 * bound.communication_ns / NULLIF(bound.dur, 0), 3) AS communication_percent,
  -- waiting_ns, per cent of dur, 3 decimals; NULL likewise, and where the rank shares no collective
  -- with another one of the trace
  IIF(
    shared.rank IS NOT NULL, ROUND(100.0 * bound.waiting_ns / NULLIF(bound.dur, 0), 3), NULL
  ) AS waiting_percent,
  -- copy_ns, per cent of dur, 3 decimals; NULL where dur is 0
  ROUND(100.0 * bound.copy_ns / NULLIF(bound.dur, 0), 3) AS copy_percent,
  -- cpu_ns and sync_ns, per cent of dur, 3 decimals; NULL likewise
  ROUND(100.0 * bound.host_ns / NULLIF(bound.dur, 0), 3) AS cpu_percent,
  -- at least one kernel ran that is no collective, ns
  bound.compute_ns,
  -- a collective ran, no compute, and no rank was waited for as far as is known, ns
  bound.communication_ns,
  -- a collective ran, no compute, and a rank had not come, ns; 0 where nothing is known of others
  bound.waiting_ns,
  -- a copy or memset ran, and neither compute nor collective, ns
  bound.copy_ns,
  -- nothing ran: the CPU did something else, or was in the call that launched the next work, ns
  bound.cpu_ns,
  -- nothing ran: the CPU was in a call that held it, such as cudaStreamSynchronize, ns
  bound.sync_ns,
  -- nothing ran: the next work had been launched, and waited for other work or for the GPU, ns
  bound.dependency_ns,
  -- nothing ran: the trace has no launch of the next work, ns
  bound.unknown_ns,
  -- options of the profiler that slowed the CPU: with_stack, record_shapes, profile_memory; NULL
  -- where the trace shows none
  profiler.options AS profiler,
  -- id of the step's slice in this trace; in the UI (v55 and later) a link to it; NULL for other
  -- parts
  tpt_step.id,
  -- id of its track in this trace; NULL likewise
  tpt_step.track_id
FROM bound
LEFT JOIN tpt_step USING (seq)
LEFT JOIN shared ON shared.rank IS bound.rank
LEFT JOIN tpt_profiler_option AS profiler ON profiler.rank IS bound.rank
WHERE
  (bound.rank IS NULL OR tpt_set_rank!(bound.rank)) AND tpt_set_steps!(tpt_step.number)
ORDER BY bound.rank, bound.device, bound.upid, bound.window_id;
