-- Parts of the windows of steps: what a device did, or what kept it.

INCLUDE PERFETTO MODULE tpt.gpu_exposed;

INCLUDE PERFETTO MODULE tpt.state;

INCLUDE PERFETTO MODULE tpt.step_window;

INCLUDE PERFETTO MODULE tpt.window_time;

INCLUDE PERFETTO MODULE tpt.collective.wait;

-- Time of each window in which nothing but collectives ran, by whether these waited. All work ends
-- before a window does, or with it, so that no piece of it belongs to two windows.
CREATE PERFETTO TABLE _tpt_window_wait AS
WITH
  running AS MATERIALIZED (
    SELECT upid AS owner, device, ts, ts_end, 'collective' AS kind FROM tpt_gpu_exposed
    UNION ALL
    SELECT upid, device, ts, ts_end, 'wait' FROM tpt_collective_wait
  ),
  edge AS (
    SELECT * FROM tpt_edges!(running)
    UNION ALL
    SELECT upid, device, ts, 0, NULL, window_id FROM tpt_step_window
  )
SELECT mark AS window_id, waiting_ns
FROM tpt_time_by_mark!(edge)
ORDER BY window_id;

-- The parts of each window, which add up to it.
CREATE PERFETTO TABLE tpt_window_part(
  -- Number of the window, as in `tpt_step_window`.
  window_id JOINID(tpt_step_window.window_id),
  -- At least one kernel ran that is no collective, ns.
  compute_ns DURATION,
  -- A collective ran, all its ranks had come as far as is known, and no compute, ns.
  communication_ns DURATION,
  -- A collective ran and waited for a rank, and no compute, ns.
  waiting_ns DURATION,
  -- A copy or memset ran alone, ns.
  copy_ns DURATION,
  -- Nothing ran: the CPU had not launched the next work, being busy or in the launch call, ns.
  cpu_ns DURATION,
  -- Nothing ran: the CPU was in a call that held it, ns.
  sync_ns DURATION,
  -- Nothing ran, though the next work had been launched, ns.
  dependency_ns DURATION,
  -- Nothing ran, and the trace has no launch of the next work, ns.
  unknown_ns DURATION
) AS
SELECT
  own.window_id,
  own.compute_ns,
  own.collective_ns - COALESCE(wait.waiting_ns, 0) AS communication_ns,
  COALESCE(wait.waiting_ns, 0) AS waiting_ns,
  own.copy_ns,
  own.cpu_ns,
  own.sync_ns,
  own.dependency_ns,
  own.unknown_ns
FROM tpt_window_time AS own
LEFT JOIN _tpt_window_wait AS wait USING (window_id)
ORDER BY own.window_id;
