-- Calls of the CUDA, HIP or XPU runtime and driver. What repairs trimmed is as recorded.
CREATE OR REPLACE PERFETTO TABLE tpt_call AS
WITH
  call AS (
    SELECT
      s.ts,
      COALESCE(
        CAST(ROUND(EXTRACT_ARG(s.arg_set_id, 'args.tpt_recorded_dur') * 1000) AS INT),
        CAST(ROUND(EXTRACT_ARG(s.arg_set_id, 'debug.args.tpt_recorded_dur') * 1000) AS INT),
        s.dur
      ) AS dur,
      s.name,
      tpt_process_rank.rank,
      tpt_row.upid,
      IIF(
        tpt_row.tid IS NULL,
        tpt_row.row_id,
        COALESCE(
          EXTRACT_ARG(s.arg_set_id, 'args.tpt_tid'),
          EXTRACT_ARG(s.arg_set_id, 'debug.args.tpt_tid'),
          tpt_row.tid
        )
      ) AS row_id,
      CAST(
        COALESCE(
          EXTRACT_ARG(s.arg_set_id, 'args.correlation'),
          EXTRACT_ARG(s.arg_set_id, 'debug.args.correlation')
        ) AS INT
      ) AS correlation
    FROM slice AS s
    CROSS JOIN tpt_row USING (track_id)
    LEFT JOIN tpt_process_rank USING (upid)
    WHERE
      s.category IN ('cuda_runtime', 'cuda_driver', 'xpu_runtime', 'Runtime')
  )
SELECT
  ((COALESCE(rank, 0) + 1) << 40) + NULLIF(correlation, 0) AS launch_key,
  ts,
  dur,
  ts + dur AS ts_end,
  name,
  rank,
  upid,
  row_id
FROM call
ORDER BY launch_key;

-- The call that launched GPU work, by the work's `launch_key`. Where several share it, the first.
CREATE OR REPLACE PERFETTO TABLE tpt_launch AS
SELECT launch_key, MIN(ts) AS ts, dur, ts_end, name, rank, upid, row_id
FROM tpt_call
WHERE
  launch_key IS NOT NULL
GROUP BY launch_key
ORDER BY launch_key;
