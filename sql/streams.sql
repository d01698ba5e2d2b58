-- GPU streams: work and busy time of each, and the part that other streams share.
--
-- Grain: one row per rank, device and stream.
-- Scope: rank
-- Needs: kernel, gpu_memcpy, gpu_memset
-- Set: rank RANGE  only these ranks
-- Set: steps RANGE  only work launched in these steps, by their number in steps (with tpt.step
--   needing launch_calls, op_marks, user_annotation, gpu_user_annotation)
-- Paste: what `tp-tools sql streams` prints runs in the Query tab of any Perfetto UI.

INCLUDE PERFETTO MODULE tpt.gpu_slice;

INCLUDE PERFETTO MODULE tpt.stream;

WITH
  chosen AS MATERIALIZED (
    SELECT rank, upid, device, stream, collective, ts, ts_end, dur
    FROM tpt_gpu_slice AS work
    WHERE
      tpt_set_steps!((SELECT number FROM tpt_step_work WHERE id = work.id))
  ),
  piece AS MATERIALIZED (
    SELECT * FROM tpt_stream_busy!(chosen)
  ),
  busy AS (
    SELECT * FROM tpt_stream_overlap!(piece)
  ),
  work AS (
    SELECT
      rank,
      upid,
      device,
      stream,
      COUNT(*) AS events,
      COUNT(collective) AS collectives,
      MIN(ts) AS ts,
      MAX(ts_end) AS ts_end,
      SUM(dur) AS total_ns
    FROM chosen
    GROUP BY upid, device, stream
  )
SELECT
  -- rank; NULL in the trace of one rank
  work.rank,
  -- device
  work.device,
  -- stream
  work.stream,
  -- kernels, copies and memsets on it
  work.events,
  -- how many of them are collectives
  work.collectives,
  -- start of the first, ns
  work.ts AS first_ts,
  -- end of the last, ns
  work.ts_end AS last_ts,
  -- at least one ran, ns
  COALESCE(busy.busy_ns, 0) AS busy_ns,
  -- of that, while another stream of the device was busy too, ns
  COALESCE(busy.overlap_ns, 0) AS overlap_ns,
  -- their durations, summed, ns; more than busy_ns where kernels of this stream overlap
  work.total_ns
FROM work
LEFT JOIN busy USING (upid, device, stream)
WHERE
  work.rank IS NULL OR tpt_set_rank!(work.rank)
ORDER BY work.rank, work.device, busy_ns DESC, work.stream;
