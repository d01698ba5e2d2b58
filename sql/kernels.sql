-- Kernels by name: how often, how long, and what share of the GPU's work. Copies and memsets too.
--
-- Times are of single kernels; where kernels overlap, their sum is more than the device was busy
-- (see gpu_time). Percentiles lie between the two nearest kernels, in proportion.
--
-- Grain: one row per rank, kernel name and kind.
-- Scope: rank
-- Needs: kernel, gpu_memcpy, gpu_memset
-- Set: rank RANGE  only these ranks
-- Set: steps RANGE  only work launched in these steps, by their number in steps (with tpt.step
--   needing launch_calls, op_marks, user_annotation, gpu_user_annotation)
-- Set: name TEXT = '*'  only names that match this pattern: * is any text, ? any character
-- Shown first: rank, name, kind, count, total_ns, total_percent, mean_ns
-- Kernel names: name
-- Paste: what `tp-tools sql kernels` prints runs in the Query tab of any Perfetto UI.

INCLUDE PERFETTO MODULE tpt.gpu_slice;
INCLUDE PERFETTO MODULE tpt.short_name;

SELECT
  -- rank; NULL in the trace of one rank
  rank,
  -- name of the kernel, or the profiler's name of the copy
  name,
  -- name without return type, namespaces and arguments; several kernels may have the same
  tpt_short_name(name) AS short_name,
  -- compute, collective, or copy (a memset too)
  kind,
  -- how many ran
  COUNT(*) AS count,
  -- their durations, summed, ns
  SUM(dur) AS total_ns,
  -- total_ns as share of all rows of this rank, per cent, 3 decimals
  ROUND(100.0 * SUM(dur) / NULLIF(SUM(SUM(dur)) OVER (PARTITION BY rank), 0), 3) AS total_percent,
  -- mean duration, ns, rounded
  CAST(ROUND(AVG(dur)) AS INT) AS mean_ns,
  -- median duration, ns, rounded
  CAST(ROUND(PERCENTILE(dur, 50)) AS INT) AS p50_ns,
  -- 99 per cent of them are at most as long, ns, rounded
  CAST(ROUND(PERCENTILE(dur, 99)) AS INT) AS p99_ns,
  -- the longest, ns
  MAX(dur) AS max_ns,
  -- id of the slice of the longest in this trace; in the UI (v55 and later) a link to it
  id,
  -- id of its track in this trace
  track_id
FROM tpt_gpu_slice AS work
WHERE
  (rank IS NULL OR tpt_set_rank!(rank))
  AND tpt_set_steps!((SELECT number FROM tpt_step_work WHERE id = work.id))
  AND name GLOB tpt_set_name!()
GROUP BY rank, name, kind
ORDER BY rank, total_ns DESC, name, kind;
