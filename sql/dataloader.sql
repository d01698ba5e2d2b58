-- Waiting for data: how long each step waited for its next batch, while the GPU worked or idled.
--
-- Time in `next` of a torch.utils.data.DataLoader (`enumerate(DataLoader)#...`), on the thread that
-- asks; workers that load ahead are not in it. It belongs to the step in which it began.
--
-- Grain: one row per step that asked for data, and per rank that asked outside of steps.
-- Scope: rank
-- Needs: kernel, gpu_memcpy, gpu_memset, launch_calls, cpu_op, python_function, user_annotation,
--   gpu_user_annotation
-- Set: rank RANGE  only these ranks
-- Set: steps RANGE  only these steps, by their number in steps
-- Shown first: rank, step, dur, count, dataloader_ns, dataloader_percent, gpu_idle_ns
-- Paste: what `tp-tools sql dataloader` prints runs in the Query tab of any Perfetto UI.

INCLUDE PERFETTO MODULE tpt.dataloader_next;

INCLUDE PERFETTO MODULE tpt.step;

WITH
  point AS (
    SELECT COALESCE(rank, -1) AS rank, ts AS at, seq, NULL AS id
    FROM tpt_step
    WHERE
      NOT on_gpu
    UNION ALL
    SELECT COALESCE(rank, -1), ts, NULL, id FROM tpt_dataloader_next
  ),
  latest AS (
    SELECT
      id,
      MAX(seq) OVER (
        PARTITION BY rank
        ORDER BY at, id IS NOT NULL
        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
      ) AS seq
    FROM point
  ),
  wait AS (
    SELECT it.*, step.seq, IIF(step.is_open, NULL, step.ts_end - step.ts) AS step_dur
    FROM latest
    CROSS JOIN tpt_dataloader_next AS it USING (id)
    LEFT JOIN tpt_step AS step ON step.seq = latest.seq AND it.ts < step.ts_end
  )
SELECT
  -- rank; NULL in the trace of one rank
  wait.rank,
  -- number of the step on its rank, as in steps; NULL: outside of steps
  step.number,
  -- name of the step, as in steps; NULL: outside of steps
  step.name AS step,
  -- its start, ns; NULL likewise
  step.ts,
  -- its duration, ns; NULL likewise, and for a repetition that nothing follows
  wait.step_dur AS dur,
  -- how often it asked for a batch
  COUNT(*) AS count,
  -- how long it waited for these, ns
  SUM(wait.ts_end - wait.ts) AS dataloader_ns,
  -- that, per cent of dur, 3 decimals; NULL where dur is
  ROUND(
    100.0 * SUM(wait.ts_end - wait.ts) / NULLIF(wait.step_dur, 0), 3
  ) AS dataloader_percent,
  -- the longest of these, ns
  MAX(wait.ts_end - wait.ts) AS longest_ns,
  -- of dataloader_ns, while no GPU of the rank ran anything, ns
  SUM(wait.ts_end - wait.ts - wait.busy_ns) AS gpu_idle_ns,
  -- id of the step's slice in this trace; in the UI (v55 and later) a link to it; NULL outside of
  -- steps
  step.id,
  -- id of its track in this trace; NULL likewise
  step.track_id
FROM wait
LEFT JOIN tpt_step AS step USING (seq)
WHERE
  (wait.rank IS NULL OR tpt_set_rank!(wait.rank)) AND tpt_set_steps!(step.number)
GROUP BY wait.rank, wait.seq
ORDER BY wait.rank, step.ts, wait.seq;
