-- Samples of steps on the CPU: the time that each step spent in each op itself.
--
-- An op is of the step in which it began, on whatever thread, so that the backward pass, which has
-- a thread of its own, counts. Ops of no step have rows with a reason where the rank has steps.
--
-- Grain: one row per rank, step, reason and op name.
-- Scope: rank
-- Needs: cpu_op, launch_calls, kernel, gpu_memcpy, gpu_memset, user_annotation,
--   gpu_user_annotation
-- Set: rank RANGE  only these ranks
-- Set: steps RANGE  only ops of these steps, by their number in steps
-- Shown first: rank, number, level, name, count, total_ns
-- Paste: what `tp-tools sql step_ops` prints runs in the Query tab of any Perfetto UI.

INCLUDE PERFETTO MODULE tpt.op;

INCLUDE PERFETTO MODULE tpt.step;

WITH
  point AS (
    SELECT rank, ts AS at, 0 AS is_op, seq AS step_seq, NULL AS op_seq
    FROM tpt_step
    WHERE
      NOT on_gpu
    UNION ALL
    SELECT rank, ts, 1, NULL, seq FROM tpt_op WHERE launch_id IS NULL
  ),
  latest AS (
    SELECT
      op_seq,
      at,
      MAX(step_seq) OVER (
        PARTITION BY rank ORDER BY at, is_op ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
      ) AS step_seq
    FROM point
  ),
  stepped AS MATERIALIZED (
    SELECT latest.op_seq, step.seq
    FROM latest
    LEFT JOIN tpt_step AS step ON step.seq = latest.step_seq AND latest.at < step.ts_end
    WHERE
      latest.op_seq IS NOT NULL
  ),
  has_steps AS MATERIALIZED (
    SELECT DISTINCT rank FROM tpt_step WHERE NOT on_gpu
  ),
  total AS (
    SELECT op.rank, stepped.seq, op.name, COUNT(*) AS count, SUM(op.self_ns) AS total_ns
    FROM tpt_op_time AS op
    CROSS JOIN stepped ON stepped.op_seq = op.seq
    GROUP BY op.rank, stepped.seq, op.name
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
  -- why it is of no step: outside steps; NULL for steps, and where the rank has none
  IIF(
    total.seq IS NULL AND EXISTS (SELECT 1 FROM has_steps WHERE has_steps.rank IS total.rank),
    'outside steps',
    NULL
  ) AS reason,
  -- op
  'op' AS level,
  -- name of the op
  total.name,
  -- NULL; so that the columns are those of step_samples
  NULL AS detail,
  -- how often it was called in the step
  total.count,
  -- CPU time in it and in no op that it called, ns
  total.total_ns
FROM total
LEFT JOIN tpt_step AS step USING (seq)
WHERE
  (total.rank IS NULL OR tpt_set_rank!(total.rank)) AND tpt_set_steps!(step.number)
ORDER BY total.rank, step.seq, total.total_ns DESC, total.name;
