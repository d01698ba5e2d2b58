-- GPU work: kernels, copies and memsets, from traces as recorded, repaired or merged, as JSON or
-- .pftrace. Annotations are no work. Device and stream are what the work itself says, else its row.
CREATE OR REPLACE PERFETTO TABLE tpt_gpu_slice AS
WITH
  work AS (
    SELECT
      s.id,
      s.ts,
      s.dur,
      s.name,
      s.track_id,
      s.category IN ('kernel', 'Kernel') AS is_kernel,
      COALESCE(
        EXTRACT_ARG(s.arg_set_id, 'args.device'),
        EXTRACT_ARG(s.arg_set_id, 'debug.args.device')
      ) AS device,
      COALESCE(
        EXTRACT_ARG(s.arg_set_id, 'args.stream'),
        EXTRACT_ARG(s.arg_set_id, 'debug.args.stream'),
        EXTRACT_ARG(s.arg_set_id, 'args.tpt_tid'),
        EXTRACT_ARG(s.arg_set_id, 'debug.args.tpt_tid')
      ) AS stream,
      COALESCE(
        EXTRACT_ARG(s.arg_set_id, 'args.correlation'),
        EXTRACT_ARG(s.arg_set_id, 'debug.args.correlation')
      ) AS correlation,
      COALESCE(
        EXTRACT_ARG(s.arg_set_id, 'args.Collective name'),
        EXTRACT_ARG(s.arg_set_id, 'debug.args.Collective name')
      ) AS collective_name
    FROM slice AS s
    WHERE
      s.category IN ('kernel', 'gpu_memcpy', 'gpu_memset', 'Kernel', 'Memcpy', 'Memset')
      AND s.dur >= 0
  ),
  kernel_name AS MATERIALIZED (
    SELECT name, tpt_collective_by_name(name) AS collective
    FROM (SELECT DISTINCT name FROM work WHERE is_kernel)
  )
SELECT
  work.id,
  work.ts,
  work.dur,
  work.ts + work.dur AS ts_end,
  work.name,
  work.track_id,
  tpt_process_rank.rank,
  tpt_row.upid,
  CAST(COALESCE(work.device, process.pid) AS INT) AS device,
  CAST(COALESCE(work.stream, tpt_row.row_id) AS INT) AS stream,
  -- the launch that it comes from, in a number that no two ranks share
  ((COALESCE(tpt_process_rank.rank, 0) + 1) << 40)
  + NULLIF(CAST(work.correlation AS INT), 0) AS launch_key,
  -- compute, collective, or copy: a memset is counted as one
  CASE
    WHEN NOT work.is_kernel THEN 'copy'
    WHEN COALESCE(work.collective_name, kernel_name.collective) IS NOT NULL THEN 'collective'
    ELSE 'compute'
  END AS kind,
  -- which collective it is; NULL: none
  IIF(
    work.is_kernel,
    IIF(
      work.collective_name IS NULL,
      kernel_name.collective,
      COALESCE(tpt_collective_by_arg(work.collective_name), kernel_name.collective, 'unknown')
    ),
    NULL
  ) AS collective
FROM work
CROSS JOIN tpt_row USING (track_id)
LEFT JOIN process USING (upid)
LEFT JOIN tpt_process_rank USING (upid)
LEFT JOIN kernel_name ON work.is_kernel AND kernel_name.name = work.name
ORDER BY work.id;
