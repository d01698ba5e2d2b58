-- GPU time: what each device did with its time, and how much of it nothing hid.
--
-- Kernels overlap: across streams, and under programmatic dependent launch on one stream. All times
-- here are unions, never sums, and
--   span_ns = compute_ns + exposed_communication_ns + exposed_copy_ns + idle_ns
--   busy_ns = span_ns - idle_ns
-- hold to the nanosecond. A kernel that starts before the one ahead of it on its stream ends (PDL)
-- counts from that one's end, as in collectives_by_rank: it hides nothing of a collective that it
-- waits for.
--
-- Grain: one row per rank and device.
-- Scope: rank
-- Needs: kernel, gpu_memcpy, gpu_memset
-- Set: rank RANGE  only these ranks
-- Set: steps RANGE  only time in the windows of these steps, by their number in steps, see verdict
--   (with tpt.step_of needing launch_calls, cpu_op, user_annotation,
--   gpu_user_annotation)
-- Paste: what `tp-tools sql gpu_time` prints runs in the Query tab of any Perfetto UI.

INCLUDE PERFETTO MODULE tpt.gpu_state;

WITH
  total AS (
    SELECT
      rank,
      upid,
      device,
      MIN(ts) AS ts,
      SUM(dur) AS span_ns,
      SUM(IIF(compute > 0, dur, 0)) AS compute_ns,
      SUM(IIF(collective > 0, dur, 0)) AS communication_ns,
      SUM(IIF(collective > 0 AND compute = 0, dur, 0)) AS exposed_communication_ns,
      SUM(IIF(copy > 0, dur, 0)) AS copy_ns,
      SUM(IIF(copy > 0 AND compute = 0 AND collective = 0, dur, 0)) AS exposed_copy_ns,
      SUM(IIF(compute = 0 AND collective = 0 AND copy = 0, dur, 0)) AS idle_ns
    FROM tpt_gpu_state AS state
    WHERE
      tpt_set_steps!((SELECT number FROM tpt_step_of_state WHERE state_id = state.state_id))
    GROUP BY upid, device
  )
SELECT
  -- rank; NULL in the trace of one rank
  rank,
  -- device
  device,
  -- start of its first work, ns; with --set steps that of the first window
  ts,
  -- from there to the end of its last work, ns; with --set steps all windows together
  span_ns,
  -- at least one kernel, copy or memset ran, ns
  span_ns - idle_ns AS busy_ns,
  -- at least one kernel ran that is no collective, ns
  compute_ns,
  -- at least one collective ran, ns
  communication_ns,
  -- a collective ran and no compute, ns
  exposed_communication_ns,
  -- at least one copy or memset ran, ns
  copy_ns,
  -- a copy or memset ran, and neither compute nor collective, ns
  exposed_copy_ns,
  -- nothing ran, ns
  idle_ns,
  -- share of the span that is busy, per cent, 3 decimals; NULL where the span is 0
  ROUND(100.0 * (span_ns - idle_ns) / NULLIF(span_ns, 0), 3) AS busy_percent
FROM total
WHERE
  rank IS NULL OR tpt_set_rank!(rank)
ORDER BY rank, device, ts;
