-- Host synchronisations: where the CPU waits for the GPU, how often, and what that costs.
--
-- Calls that wait by their name (*Synchronize*, *Memcpy* that is not Async), and copies whose call
-- returned only after the copy, as those to pageable memory do: `.item()`, `.cpu()`, printing. What
-- it costs is the time in which the GPU had nothing to do, here within the call; `gaps` has the
-- idle time after it too.
--
-- Grain: one row per rank, call, op and Python line.
-- Scope: rank
-- Needs: kernel, gpu_memcpy, gpu_memset, cuda_runtime, cuda_driver, xpu_runtime, cpu_op,
--   python_function
-- Set: rank RANGE  only these ranks
-- Set: steps RANGE  only calls that begin in these steps, by their number in steps (with
--   tpt.step_of_sync needing user_annotation, gpu_user_annotation)
-- Set: min_us FLOAT = 0  only calls that take at least so many us
-- Shown first: rank, name, count, total_ns, gpu_idle_ns, cpu_op, python_line
-- Paste: what `tp-tools sql syncs` prints runs in the Query tab of any Perfetto UI.

INCLUDE PERFETTO MODULE tpt.sync;

INCLUDE PERFETTO MODULE tpt.sync_op;

SELECT
  -- rank; NULL in the trace of one rank
  sync.rank,
  -- name of the call
  sync.name,
  -- innermost op around it, such as aten::_local_scalar_dense of `.item()`; NULL: in none
  op.cpu_op,
  -- innermost Python function around it that is no part of PyTorch, as file(line): name, else the
  -- innermost; the line is that of its `def`; NULL without stacks
  op.python_line,
  -- how often
  COUNT(*) AS count,
  -- the CPU thread was in the call, summed, ns
  SUM(sync.ts_end - sync.ts) AS total_ns,
  -- the longest of these, ns
  MAX(sync.ts_end - sync.ts) AS longest_ns,
  -- of total_ns, while no GPU of the rank ran anything, ns
  SUM(sync.ts_end - sync.ts - sync.busy_ns) AS gpu_idle_ns
FROM tpt_sync AS sync
LEFT JOIN tpt_sync_op AS op USING (id)
WHERE
  (sync.rank IS NULL OR tpt_set_rank!(sync.rank))
  AND tpt_set_steps!((SELECT number FROM tpt_step_of_sync WHERE id = sync.id))
  AND sync.ts_end - sync.ts >= 1000 * tpt_set_min_us!()
GROUP BY sync.rank, sync.name, op.cpu_op, op.python_line
ORDER BY sync.rank, total_ns DESC, sync.name, op.cpu_op, op.python_line;
