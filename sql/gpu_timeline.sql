-- GPU timeline: what each device did over time, in windows of equal length.
--
-- The time from the first to the last GPU work of all ranks is cut into equal windows, the same for
-- every device. A device has a row for each window between its own first and last work, and
--   dur = compute_ns + hidden_ns + communication_ns + waiting_ns + copy_ns + idle_ns
-- where dur is the part of the window that lies there. Sums over windows are those of gpu_time:
--   compute_ns = SUM(compute_ns + hidden_ns), idle_ns = SUM(idle_ns),
--   exposed_communication_ns = SUM(communication_ns + waiting_ns), exposed_copy_ns = SUM(copy_ns).
-- Waits are those of collectives_by_rank.
--
-- Grain: one row per device and window.
-- Scope: job
-- Needs: kernel, gpu_memcpy, gpu_memset, launch_calls, op_marks, user_annotation,
--   gpu_user_annotation, collective
-- Args: device, stream, correlation
-- Set: rank RANGE  only these ranks
-- Set: windows INT = 1000  how many windows
-- Parts: tpt.collective.part, tpt.collective.context, tpt.gpu_running, tpt.process_rank
-- Shown first: rank, device, window, ts, dur, compute_ns, communication_ns, waiting_ns, idle_ns
-- Paste: what `tp-tools sql gpu_timeline` prints runs in the Query tab of any Perfetto UI.

INCLUDE PERFETTO MODULE tpt.gpu_running;

INCLUDE PERFETTO MODULE tpt.process_rank;

INCLUDE PERFETTO MODULE tpt.state;

INCLUDE PERFETTO MODULE tpt.collective.wait;

WITH RECURSIVE
  extent AS MATERIALIZED (
    SELECT MIN(ts) AS ts, MAX(ts_end) - MIN(ts) AS dur FROM tpt_gpu_running
  ),
  number(window) AS (
    SELECT 0
    UNION ALL
    SELECT window + 1 FROM number WHERE window + 1 < tpt_set_windows!()
  ),
  -- the remainder apart, since the product of both may pass 63 bits
  start AS MATERIALIZED (
    SELECT
      number.window,
      extent.ts
      + number.window * (extent.dur / tpt_set_windows!())
      + number.window * (extent.dur % tpt_set_windows!()) / tpt_set_windows!() AS ts
    FROM number
    CROSS JOIN extent
  ),
  device AS MATERIALIZED (
    SELECT upid, device, MIN(ts) AS ts, MAX(ts_end) AS ts_end
    FROM tpt_gpu_running
    GROUP BY upid, device
  ),
  running AS (
    SELECT upid AS owner, device, ts, ts_end, kind FROM tpt_gpu_running
    UNION ALL
    SELECT upid, device, ts, ts_end, 'wait' FROM tpt_collective_wait
  ),
  edge AS (
    SELECT * FROM tpt_edges!(running)
    UNION ALL
    -- a device begins within a window
    SELECT device.upid, device.device, MAX(start.ts, device.ts), 0, NULL, start.window
    FROM device
    CROSS JOIN start
    WHERE
      start.ts < device.ts_end
  )
SELECT
  -- rank; NULL in the trace of one rank
  tpt_process_rank.rank,
  -- device
  it.device,
  -- number of the window, from 0
  it.mark AS window,
  -- its start, or that of the device's first work in it, ns
  it.ts,
  -- its duration, or the part of it between the device's first and last work, ns
  it.dur,
  -- kernels ran and no collective, ns
  it.compute_ns,
  -- kernels and collectives ran, ns
  it.hidden_ns,
  -- a collective ran, no other kernel, and no rank was waited for as far as is known, ns
  it.communication_ns,
  -- a collective ran, no other kernel, and a rank had not come, ns
  it.waiting_ns,
  -- copies or memsets ran alone, ns
  it.copy_ns,
  -- nothing ran, ns
  it.idle_ns
FROM tpt_time_by_mark!(edge) AS it
LEFT JOIN tpt_process_rank ON tpt_process_rank.upid = it.owner
WHERE
  it.dur > 0
  AND (tpt_process_rank.rank IS NULL OR tpt_set_rank!(tpt_process_rank.rank))
ORDER BY tpt_process_rank.rank, it.device, it.owner, it.mark;
