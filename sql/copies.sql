-- Copies and memsets by kind: how many, how many bytes, how fast.
--
-- Grain: one row per rank and kind of copy, as the profiler names it.
-- Scope: rank
-- Needs: gpu_memcpy, gpu_memset
-- Set: rank RANGE  only these ranks
-- Set: steps RANGE  only work launched in these steps, by their number in steps (with tpt.step
--   needing launch_calls, op_marks, user_annotation, gpu_user_annotation)
-- Shown first: rank, name, count, bytes, total_ns, mean_gbps
-- Paste: what `tp-tools sql copies` prints runs in the Query tab of any Perfetto UI.

INCLUDE PERFETTO MODULE tpt.arg;

INCLUDE PERFETTO MODULE tpt.gpu_slice;

WITH
  copied AS (
    SELECT
      work.rank,
      work.name,
      work.dur,
      tpt_int_arg!(slice.arg_set_id, 'bytes') AS bytes
    FROM tpt_gpu_slice AS work
    CROSS JOIN slice USING (id)
    WHERE
      work.kind = 'copy'
      AND (work.rank IS NULL OR tpt_set_rank!(work.rank))
      AND tpt_set_steps!((SELECT number FROM tpt_step_work WHERE id = work.id))
  )
SELECT
  -- rank; NULL in the trace of one rank
  rank,
  -- the profiler's name of it, for example "Memcpy HtoD (Pinned -> Device)"
  name,
  -- HtoD, DtoH, DtoD, PtoP, ... or Memset; NULL where the name does not say
  COALESCE(
    REGEXP_EXTRACT(name, '^Memcpy ([A-Za-z]+to[A-Za-z]+)'),
    IIF(name GLOB 'Memset*', 'Memset', NULL)
  ) AS kind,
  -- how many ran
  COUNT(*) AS count,
  -- bytes of those that say how many; NULL where none does
  SUM(bytes) AS bytes,
  -- their durations, summed, ns
  SUM(dur) AS total_ns,
  -- bytes per second of those that say how many, GB/s of 1e9, 3 decimals; NULL where none does
  ROUND(1.0 * SUM(bytes) / NULLIF(SUM(IIF(bytes IS NULL, 0, dur)), 0), 3) AS mean_gbps,
  -- the fastest one, GB/s of 1e9, 3 decimals; NULL where none says its bytes
  ROUND(MAX(1.0 * bytes / NULLIF(dur, 0)), 3) AS max_gbps
FROM copied
GROUP BY rank, name
ORDER BY rank, total_ns DESC, name;
