-- Samples of steps by module: the GPU time that each nn.Module itself launched in each step.
--
-- Modules are those of the query modules: of nn.Module where stacks are recorded, else the user's
-- annotations. Work of no module is named by the reason. Times are sums of durations and add up to
-- all GPU work.
--
-- Grain: one row per rank, step, reason and path of modules.
-- Scope: rank
-- Needs: kernel, gpu_memcpy, gpu_memset, launch_calls, cpu_op, python_function, user_annotation,
--   gpu_user_annotation
-- Set: rank RANGE  only these ranks
-- Set: steps RANGE  only work launched in these steps, by their number in steps
-- Shown first: rank, number, level, name, count, total_ns
-- Paste: what `tp-tools sql step_modules` prints runs in the Query tab of any Perfetto UI.

INCLUDE PERFETTO MODULE tpt.module;

INCLUDE PERFETTO MODULE tpt.step;

SELECT
  -- rank; NULL in the trace of one rank
  work.rank,
  -- number of the step on its rank, as in steps; NULL: of no step, or the rank has none
  step.number,
  -- start of the step, as in steps, ns; NULL likewise
  step.ts AS step_ts,
  -- name of the step; NULL likewise
  step.name AS step,
  -- why it is of no step: launch not recorded, outside steps; NULL for steps, and where the rank
  -- has none
  of_step.reason,
  -- module
  'module' AS level,
  -- the modules around it from the outermost on, and its name, as in modules; of work of none the
  -- reason
  COALESCE(work.path, work.reason) AS name,
  -- NULL; so that the columns are those of step_samples
  NULL AS detail,
  -- kernels, copies and memsets that it launched in the step
  COUNT(*) AS count,
  -- their durations, summed, ns
  SUM(work.dur) AS total_ns
FROM tpt_module_work AS work
LEFT JOIN tpt_step_work AS of_step USING (id)
LEFT JOIN tpt_step AS step USING (seq)
WHERE
  (work.rank IS NULL OR tpt_set_rank!(work.rank)) AND tpt_set_steps!(step.number)
GROUP BY work.rank, step.seq, of_step.reason, COALESCE(work.path, work.reason)
ORDER BY work.rank, step.seq, of_step.reason, total_ns DESC, name;
