-- Parts of the windows of steps: what a device did, or what kept it.

INCLUDE PERFETTO MODULE tpt.gap;

INCLUDE PERFETTO MODULE tpt.gap_part;

INCLUDE PERFETTO MODULE tpt.gpu_running;

INCLUDE PERFETTO MODULE tpt.gpu_slice;

INCLUDE PERFETTO MODULE tpt.step_window;

-- Time of each window by kind of work. All work ends before a window does, or with it, so that no
-- piece of it belongs to two windows.
CREATE PERFETTO TABLE _tpt_window_work AS
WITH
  edge AS (
    SELECT upid, device, ts AS at, 1 AS step, kind, 0 AS window_id FROM tpt_gpu_running
    UNION ALL
    SELECT upid, device, ts_end, -1, kind, 0 FROM tpt_gpu_running
    UNION ALL
    SELECT upid, device, ts, 0, NULL, window_id FROM tpt_step_window
  ),
  change AS (
    SELECT
      upid,
      device,
      at,
      MAX(window_id) AS window_id,
      SUM(IIF(kind = 'compute', step, 0)) AS compute,
      SUM(IIF(kind = 'collective', step, 0)) AS collective,
      SUM(IIF(kind = 'copy', step, 0)) AS copy,
      SUM(IIF(kind = 'wait', step, 0)) AS waiting
    FROM edge
    GROUP BY upid, device, at
  ),
  state AS (
    SELECT
      MAX(window_id) OVER so_far AS window_id,
      COALESCE(LEAD(at) OVER so_far - at, 0) AS dur,
      SUM(compute) OVER so_far AS compute,
      SUM(collective) OVER so_far AS collective,
      SUM(copy) OVER so_far AS copy,
      SUM(waiting) OVER so_far AS waiting
    FROM change
    WINDOW so_far AS (PARTITION BY upid, device ORDER BY at)
  )
SELECT
  window_id,
  SUM(IIF(compute > 0, dur, 0)) AS compute_ns,
  SUM(IIF(compute = 0 AND collective > 0 AND waiting = 0, dur, 0)) AS communication_ns,
  SUM(IIF(compute = 0 AND collective > 0 AND waiting > 0, dur, 0)) AS waiting_ns,
  SUM(IIF(compute = 0 AND collective = 0 AND copy > 0, dur, 0)) AS copy_ns
FROM state
GROUP BY window_id
ORDER BY window_id;

-- Idle time of each window by the cause that kept the work at the end of each gap. A window ends
-- when work ends, so that no gap belongs to two.
CREATE PERFETTO TABLE _tpt_window_gap AS
WITH
  point AS (
    SELECT upid, device, ts AS at, window_id, NULL AS gap_id FROM tpt_step_window
    UNION ALL
    SELECT work.upid, work.device, gap.ts, NULL, gap.gap_id
    FROM tpt_gap AS gap
    CROSS JOIN tpt_gpu_slice AS work ON work.id = gap.after_id
  ),
  placed AS (
    SELECT
      gap_id,
      MAX(window_id) OVER (
        PARTITION BY upid, device
        ORDER BY at, gap_id IS NOT NULL
        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
      ) AS window_id
    FROM point
  )
SELECT
  placed.window_id,
  SUM(part.cpu_ns + part.launch_call_ns) AS cpu_ns,
  SUM(part.wait_ns) AS sync_ns,
  SUM(part.dependency_ns + part.front_end_ns) AS dependency_ns,
  SUM(part.unknown_ns) AS unknown_ns
FROM placed
CROSS JOIN tpt_gap_part AS part USING (gap_id)
WHERE
  placed.gap_id IS NOT NULL
GROUP BY placed.window_id
ORDER BY placed.window_id;

-- The parts of each window, which add up to it.
CREATE PERFETTO TABLE tpt_window_part(
  -- Number of the window, as in `tpt_step_window`.
  window_id LONG,
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
  part.window_id,
  COALESCE(work.compute_ns, 0) AS compute_ns,
  COALESCE(work.communication_ns, 0) AS communication_ns,
  COALESCE(work.waiting_ns, 0) AS waiting_ns,
  COALESCE(work.copy_ns, 0) AS copy_ns,
  COALESCE(gap.cpu_ns, 0) AS cpu_ns,
  COALESCE(gap.sync_ns, 0) AS sync_ns,
  COALESCE(gap.dependency_ns, 0) AS dependency_ns,
  COALESCE(gap.unknown_ns, 0) AS unknown_ns
FROM tpt_step_window AS part
LEFT JOIN _tpt_window_work AS work USING (window_id)
LEFT JOIN _tpt_window_gap AS gap USING (window_id)
ORDER BY part.window_id;
