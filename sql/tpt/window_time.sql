-- What each device did in the windows of its steps, as far as its rank alone tells.

INCLUDE PERFETTO MODULE tpt.gap;

INCLUDE PERFETTO MODULE tpt.gap_part;

INCLUDE PERFETTO MODULE tpt.gpu_slice;

INCLUDE PERFETTO MODULE tpt.gpu_state;

INCLUDE PERFETTO MODULE tpt.step_window;

-- Time of each window by kind of work.
CREATE PERFETTO TABLE _tpt_window_work AS
WITH
  moment AS (
    SELECT upid, device, ts, state_id AS id FROM tpt_gpu_state
  )
SELECT
  placed.window_id,
  SUM(IIF(state.compute > 0, state.dur, 0)) AS compute_ns,
  SUM(IIF(state.compute = 0 AND state.collective > 0, state.dur, 0)) AS collective_ns,
  SUM(IIF(state.compute = 0 AND state.collective = 0 AND state.copy > 0, state.dur, 0)) AS copy_ns
FROM tpt_window_of!(moment) AS placed
CROSS JOIN tpt_gpu_state AS state ON state.state_id = placed.id
GROUP BY placed.window_id
ORDER BY placed.window_id;

-- Idle time of each window by the cause that kept the work at the end of each gap.
CREATE PERFETTO TABLE _tpt_window_gap AS
WITH
  moment AS (
    SELECT work.upid, work.device, gap.ts, gap.gap_id AS id
    FROM tpt_gap AS gap
    CROSS JOIN tpt_gpu_slice AS work ON work.id = gap.after_id
  )
SELECT
  placed.window_id,
  SUM(part.cpu_ns + part.launch_call_ns) AS cpu_ns,
  SUM(part.wait_ns) AS sync_ns,
  SUM(part.dependency_ns + part.front_end_ns) AS dependency_ns,
  SUM(part.unknown_ns) AS unknown_ns
FROM tpt_window_of!(moment) AS placed
CROSS JOIN tpt_gap_part AS part ON part.gap_id = placed.id
GROUP BY placed.window_id
ORDER BY placed.window_id;

-- The parts of each window, which add up to it.
CREATE PERFETTO TABLE tpt_window_time(
  -- Number of the window, as in `tpt_step_window`.
  window_id JOINID(tpt_step_window.window_id),
  -- At least one kernel ran that is no collective, ns.
  compute_ns DURATION,
  -- A collective ran, and no compute, ns.
  collective_ns DURATION,
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
  COALESCE(work.collective_ns, 0) AS collective_ns,
  COALESCE(work.copy_ns, 0) AS copy_ns,
  COALESCE(gap.cpu_ns, 0) AS cpu_ns,
  COALESCE(gap.sync_ns, 0) AS sync_ns,
  COALESCE(gap.dependency_ns, 0) AS dependency_ns,
  COALESCE(gap.unknown_ns, 0) AS unknown_ns
FROM tpt_step_window AS part
LEFT JOIN _tpt_window_work AS work USING (window_id)
LEFT JOIN _tpt_window_gap AS gap USING (window_id)
ORDER BY part.window_id;
