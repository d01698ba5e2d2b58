-- Idle time by cause: what kept each device from its next work; adds up to all of its idle time.
--
-- The parts of all gaps (see gaps), summed by cause:
--   data loading     the thread that launched the work after was in `next` of a DataLoader
--   synchronisation  it was in a call that waits for the GPU: *Synchronize, a copy that returned
--                    only after the copy
--   memory           it took, mapped or gave back memory: cudaMalloc, cudaFree, cudaHostAlloc
--   set-up           it loaded code or built a graph: cuModuleLoadData, cudaGraphInstantiate; or it
--                    was for 1 ms or longer in one launch call, as the first one of a kernel is
--   cpu              it did something else
--   launch call      it was in the launch call, for less than 1 ms
--   dependency       the work had been launched before the gap: it waited for other work, an event,
--                    or the GPU itself
--   front end        its launch call had returned in the gap, at most 100 us before it began, which
--                    a launch takes on its way to the GPU
--   late start       likewise, but longer before: it waited for something that the trace does not
--                    show
--   unknown          the trace has no launch of the work after
--
-- Grain: one row per rank, device and cause.
-- Scope: rank
-- Needs: kernel, gpu_memcpy, gpu_memset, launch_calls, cpu_op, python_function, user_annotation
-- Set: rank RANGE  only these ranks
-- Set: steps RANGE  only time in the windows of these steps, by their number in steps, see verdict
--   (with tpt.step_of needing launch_calls, cpu_op, user_annotation,
--   gpu_user_annotation)
-- Shown first: rank, device, cause, idle_ns, idle_percent, gaps, mostly, longest_ns
-- Kernel names: longest_after
-- Paste: what `tp-tools sql idle` prints runs in the Query tab of any Perfetto UI.

INCLUDE PERFETTO MODULE tpt.busy_in;

INCLUDE PERFETTO MODULE tpt.dataloader_next;

INCLUDE PERFETTO MODULE tpt.gap;

INCLUDE PERFETTO MODULE tpt.gap_op;

INCLUDE PERFETTO MODULE tpt.gap_part;

INCLUDE PERFETTO MODULE tpt.launched;

INCLUDE PERFETTO MODULE tpt.sync_call;

WITH
  gap AS MATERIALIZED (
    SELECT
      gap.gap_id,
      gap.ts,
      gap.ts_end,
      gap.after_id,
      after.rank,
      after.upid,
      after.device,
      after.launch_ts,
      after.launch_name,
      part.*
    FROM tpt_gap AS gap
    CROSS JOIN tpt_launched AS after ON after.id = gap.after_id
    CROSS JOIN tpt_gap_part AS part USING (gap_id)
    WHERE
      tpt_set_steps!((SELECT number FROM tpt_step_of_gap WHERE gap_id = gap.gap_id))
  ),
  -- the time before the launch call of each gap, on the thread that launched
  before_launch AS (
    SELECT
      gap_id AS id,
      cpu.launch_upid || ' ' || cpu.launch_track_key AS key,
      gap.ts,
      MAX(gap.ts, MIN(gap.launch_ts, gap.ts_end)) AS ts_end
    FROM gap
    CROSS JOIN tpt_gap_cpu AS cpu USING (gap_id)
  ),
  next_batch AS (
    SELECT upid || ' ' || track_key AS key, ts, ts_end FROM tpt_dataloader_next
  ),
  loading AS MATERIALIZED (
    SELECT id AS gap_id, busy_ns FROM tpt_busy_in!(next_batch, before_launch)
  ),
  split AS MATERIALIZED (
    SELECT gap.*, MIN(gap.cpu_ns, COALESCE(loading.busy_ns, 0)) AS loading_ns
    FROM gap
    LEFT JOIN loading USING (gap_id)
  ),
  piece AS (
    SELECT split.*, 'data loading' AS cause, NULL AS what, loading_ns AS part_ns
    FROM split
    UNION ALL
    SELECT split.*, 'cpu', COALESCE(op.cpu_op, op.python_line), cpu_ns - loading_ns
    FROM split
    LEFT JOIN tpt_gap_op AS op USING (gap_id)
    UNION ALL
    SELECT
      split.*,
      CASE
        WHEN tpt_is_sync_call!(held.name) THEN 'synchronisation'
        WHEN held.name GLOB '*ModuleLoad*'
        OR held.name GLOB '*LibraryLoad*'
        OR held.name GLOB '*GraphInstantiate*' THEN 'set-up'
        WHEN held.name GLOB '*Memcpy*' THEN 'synchronisation'
        ELSE 'memory'
      END,
      held.name,
      held.held_ns
    FROM split
    CROSS JOIN tpt_gap_call AS held USING (gap_id)
    UNION ALL
    SELECT
      *, IIF(launch_call_ns >= 1000000, 'set-up', 'launch call'), launch_name, launch_call_ns
    FROM split
    UNION ALL
    SELECT *, 'dependency', NULL, dependency_ns FROM split
    UNION ALL
    SELECT
      *, IIF(front_end_ns > 100000, 'late start', 'front end'), NULL, front_end_ns
    FROM split
    UNION ALL
    SELECT *, 'unknown', NULL, unknown_ns FROM split
  ),
  -- rows with the largest text begin with the largest number: that of the name that takes most,
  -- and that of the gap with the most of a cause
  named AS (
    SELECT upid, device, cause, MAX(FORMAT('%020d %s', part_ns, what)) AS most
    FROM (
      SELECT upid, device, cause, what, SUM(part_ns) AS part_ns
      FROM piece
      WHERE
        what IS NOT NULL AND part_ns > 0
      GROUP BY upid, device, cause, what
    )
    GROUP BY upid, device, cause
  ),
  of_gap AS (
    SELECT rank, upid, device, cause, gap_id, SUM(part_ns) AS part_ns
    FROM piece
    WHERE
      part_ns > 0
    GROUP BY gap_id, cause
  ),
  total AS (
    SELECT
      rank,
      upid,
      device,
      cause,
      SUM(part_ns) AS idle_ns,
      COUNT(*) AS gaps,
      SUM(IIF(part_ns >= 1000000, part_ns, 0)) AS long_ns,
      MAX(FORMAT('%020d %020d', part_ns, gap_id)) AS longest
    FROM of_gap
    GROUP BY upid, device, cause
  )
SELECT
  -- rank; NULL in the trace of one rank
  total.rank,
  -- device
  total.device,
  -- data loading, synchronisation, memory, set-up, cpu, launch call, dependency, front end, late
  -- start, unknown, see above
  total.cause,
  -- idle time by this cause, ns; the causes of a device add up to idle_ns of gpu_time
  total.idle_ns,
  -- that, per cent of the idle time of the device, 3 decimals
  ROUND(
    100.0 * total.idle_ns / SUM(total.idle_ns) OVER (PARTITION BY total.upid, total.device), 3
  ) AS idle_percent,
  -- gaps that have it as a cause
  total.gaps,
  -- of idle_ns, in gaps that have at least 1 ms of it, ns
  total.long_ns,
  -- the call that took most of it; for cpu the op, else the Python function; NULL where none is
  -- known
  SUBSTR(named.most, 22) AS mostly,
  -- how much that took, all gaps together, ns; NULL likewise
  CAST(SUBSTR(named.most, 1, 20) AS INT) AS mostly_ns,
  -- the most in one gap, ns
  CAST(SUBSTR(total.longest, 1, 20) AS INT) AS longest_ns,
  -- start of that gap, ns
  gap.ts AS longest_ts,
  -- its duration, ns
  gap.ts_end - gap.ts AS longest_dur,
  -- name of the work that ended it
  after.name AS longest_after,
  -- id of that work's slice in this trace; in the UI (v55 and later) a link to it
  after.id,
  -- id of its track in this trace
  after.track_id
FROM total
CROSS JOIN tpt_gap AS gap ON gap.gap_id = CAST(SUBSTR(total.longest, 22) AS INT)
CROSS JOIN tpt_launched AS after ON after.id = gap.after_id
LEFT JOIN named USING (upid, device, cause)
WHERE
  total.rank IS NULL OR tpt_set_rank!(total.rank)
ORDER BY total.rank, total.device, total.upid, idle_ns DESC, total.cause;
