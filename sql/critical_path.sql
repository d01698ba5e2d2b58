-- Critical path: the chain of work and waiting that each step took as long as, by kind and by rank.
--
-- The path of a step is walked back from the end of its window (as in verdict) to its start:
--   from work to its start, or, for a collective that waited, to the arrival of the last rank, and
--     on that rank from there (collective edge);
--   from a start to what came last: the end of other work of the device, best of the same stream
--     (stream order; from another stream the wait is inferred from times), or its own launch;
--   from a launch along the CPU back to the last synchronisation of a thread that launches work,
--     and from that to the work whose end it waited for (sync edge).
-- Its segments touch, so that they add up to the window:
--   compute, communication, copy  the work ran
--   dependency   it had been launched, and began after the end of other work
--   front end    its launch call had returned, and nothing before it ran
--   launch call  the CPU was in the call that launched it
--   cpu          the CPU did something else before that call
--   sync         the CPU was in a synchronisation whose work had ended
--   unknown      the trace has no launch of the work
-- Work beside the path is hidden: to make it faster does not make the step faster.
--
-- Grain: one row per device, window of a step, kind and rank on whose time it lies, and the same
--   for all windows of the device together.
-- Scope: job
-- Needs: kernel, gpu_memcpy, gpu_memset, cuda_runtime, cuda_driver, xpu_runtime, op_marks,
--   user_annotation, gpu_user_annotation, collective
-- Args: device, stream, correlation, External id
-- Set: rank RANGE  only the paths of these ranks
-- Set: steps RANGE  only the paths of these steps, by their number in steps
-- Parts: tpt.collective.part, tpt.collective.context, tpt.path_link, tpt.path_work, tpt.step,
--   tpt.step_window, tpt.sync
-- Shown first: rank, part, number, kind, on_rank, path_ns, path_percent, mostly
-- Kernel names: mostly
-- Paste: what `tp-tools sql critical_path` prints runs in the Query tab of any Perfetto UI.

INCLUDE PERFETTO MODULE tpt.path_segment;

INCLUDE PERFETTO MODULE tpt.step;

INCLUDE PERFETTO MODULE tpt.step_window;

WITH
  segment AS MATERIALIZED (
    SELECT
      path.kind,
      path.name,
      path.rank AS on_rank,
      path.dur,
      win.window_id,
      win.upid,
      win.device,
      win.rank
    FROM tpt_path_segment AS path
    CROSS JOIN tpt_step_window AS win USING (window_id)
  ),
  -- window 0: all of the device
  listed AS (
    SELECT window_id, upid, device, rank, kind, on_rank, name, dur FROM segment
    UNION ALL
    SELECT 0, upid, device, rank, kind, on_rank, name, dur FROM segment
  ),
  named AS (
    SELECT
      window_id,
      upid,
      device,
      MIN(rank) AS rank,
      kind,
      on_rank,
      name,
      SUM(dur) AS name_ns,
      COUNT(*) AS segments
    FROM listed
    GROUP BY window_id, upid, device, kind, on_rank, name
  ),
  total AS (
    SELECT
      window_id,
      upid,
      device,
      rank,
      kind,
      on_rank,
      SUM(name_ns) OVER same AS path_ns,
      SUM(segments) OVER same AS segments,
      name,
      name_ns,
      ROW_NUMBER() OVER (same ORDER BY name_ns DESC, name) AS place
    FROM named
    WINDOW same AS (PARTITION BY window_id, upid, device, kind, on_rank)
  )
SELECT
  -- rank whose step it is; NULL in the trace of one rank
  total.rank,
  -- its device
  total.device,
  -- all, step, before the first step, after the last step; as in verdict
  COALESCE(win.part, 'all') AS part,
  -- its number on its rank, as in steps; NULL for other parts
  tpt_step.number,
  -- name of the step, as in steps; NULL for other parts
  tpt_step.name AS step,
  -- compute, communication, copy, dependency, front end, launch call, cpu, sync, unknown, see above
  total.kind,
  -- rank on whose time this part of the path lies; NULL in the trace of one rank
  total.on_rank,
  -- how much of the path that is, ns; adds up to dur of verdict
  total.path_ns,
  -- the same, per cent of the path, 3 decimals
  ROUND(
    100.0 * total.path_ns
    / SUM(total.path_ns) OVER (PARTITION BY total.window_id, total.upid, total.device),
    3
  ) AS path_percent,
  -- of how many pieces
  total.segments,
  -- the work or call that takes most of it; for cpu and front end the work that was launched then
  total.name AS mostly,
  -- how much, all of this name together, ns
  total.name_ns AS mostly_ns,
  -- id of the step's slice in this trace; in the UI (v55 and later) a link to it; NULL for other
  -- parts
  tpt_step.id,
  -- id of its track in this trace; NULL likewise
  tpt_step.track_id
FROM total
LEFT JOIN tpt_step_window AS win USING (window_id)
LEFT JOIN tpt_step ON tpt_step.seq = win.seq
WHERE
  total.place = 1
  AND win.part IS NOT 'no steps'
  AND (total.rank IS NULL OR tpt_set_rank!(total.rank))
  AND tpt_set_steps!(tpt_step.number)
ORDER BY total.rank, total.device, total.window_id, path_ns DESC, total.kind, total.on_rank;
