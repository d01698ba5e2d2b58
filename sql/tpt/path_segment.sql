-- Critical paths of the windows of steps, walked from their ends back to their starts.

INCLUDE PERFETTO MODULE tpt.path_awaited;

INCLUDE PERFETTO MODULE tpt.path_link;

INCLUDE PERFETTO MODULE tpt.path_work;

INCLUDE PERFETTO MODULE tpt.step_window;

INCLUDE PERFETTO MODULE tpt.sync;

-- The work at which the path of each window begins: the last to end when it ends, else that whose
-- turn comes then.
CREATE PERFETTO TABLE _tpt_path_end AS
WITH
  moment AS MATERIALIZED (
    SELECT upid, device, ts_end AS at, id, 1 AS is_end FROM tpt_path_work WHERE dur > 0
    UNION ALL
    SELECT work.upid, work.device, link.turn, work.id, 0
    FROM tpt_path_work AS work
    CROSS JOIN tpt_path_link AS link USING (id)
  ),
  met AS (
    SELECT
      win.window_id,
      win.ts AS since,
      win.ts_end AS at,
      moment.id,
      ROW_NUMBER() OVER (
        PARTITION BY win.window_id ORDER BY moment.is_end DESC, moment.id DESC
      ) AS place
    FROM tpt_step_window AS win
    CROSS JOIN moment
      ON moment.upid = win.upid AND moment.device = win.device AND moment.at = win.ts_end
    WHERE
      win.ts < win.ts_end
  )
SELECT window_id, since, at, id
FROM met
WHERE
  place = 1
ORDER BY window_id;

-- The work on each path, with the time from which the path is in it or in what it waited for. Each
-- comes from the work after it on the path, at a time that is no later, until the window began.
CREATE PERFETTO TABLE _tpt_path_step AS
WITH RECURSIVE
  link AS MATERIALIZED (
    SELECT
      link.id,
      link.before_id,
      link.before_end,
      awaited.last_id AS awaited_id,
      awaited.last_arrival AS awaited_at
    FROM tpt_path_link AS link
    LEFT JOIN tpt_path_awaited AS awaited USING (id)
  ),
  walk(window_id, since, at, id) AS (
    SELECT window_id, since, at, id FROM _tpt_path_end
    UNION ALL
    SELECT
      walk.window_id,
      walk.since,
      IIF(link.awaited_at < walk.at, link.awaited_at, link.before_end),
      IIF(link.awaited_at < walk.at, link.awaited_id, link.before_id)
    FROM walk
    CROSS JOIN link USING (id)
    WHERE
      IIF(link.awaited_at < walk.at, link.awaited_at, link.before_end) > walk.since
  )
SELECT * FROM walk;

-- The segments of each path, which touch and add up to the window.
CREATE PERFETTO TABLE tpt_path_segment(
  -- The window, as in `tpt_step_window`.
  window_id LONG,
  -- compute, communication, copy: the work ran; dependency: it had been launched, and began after
  -- other work of its device; front end: its launch call had returned; launch call: the CPU was in
  -- that; cpu: before that call, from the synchronisation before or the start of the window; sync:
  -- from the end of the work that the CPU waited for to the end of the wait; unknown: it has no
  -- launch in the trace, and began after other work.
  kind STRING,
  -- The work, or that whose launch took the time.
  id JOINID(slice.id),
  -- Name of the work; of the call for launch call and sync.
  name STRING,
  -- Rank whose time it is; NULL in the trace of one rank.
  rank LONG,
  -- Start of the segment, ns.
  ts TIMESTAMP,
  -- Its duration, ns; above 0.
  dur DURATION
) AS
WITH
  step AS MATERIALIZED (
    SELECT
      walk.window_id,
      walk.since,
      walk.at,
      link.*,
      work.rank,
      work.name,
      work.kind,
      work.launch_name,
      IIF(awaited.last_arrival < walk.at, awaited.last_arrival, link.turn) AS began,
      COALESCE(awaited.last_arrival < walk.at, FALSE) AS is_awaiting
    FROM _tpt_path_step AS walk
    CROSS JOIN tpt_path_link AS link USING (id)
    CROSS JOIN tpt_path_work AS work USING (id)
    LEFT JOIN tpt_path_awaited AS awaited USING (id)
  ),
  part AS (
    SELECT
      window_id,
      since,
      IIF(kind = 'collective', 'communication', kind) AS kind,
      id,
      name,
      rank,
      began AS ts,
      at AS ts_end
    FROM step
    UNION ALL
    SELECT
      window_id,
      since,
      IIF(is_launched, 'dependency', 'unknown'),
      id,
      name,
      rank,
      COALESCE(before_end, since),
      turn
    FROM step
    WHERE
      NOT is_awaiting AND waited_for IS NOT 'launch'
    UNION ALL
    SELECT window_id, since, 'front end', id, name, rank, returned, turn
    FROM step
    WHERE
      NOT is_awaiting AND waited_for = 'launch'
    UNION ALL
    SELECT window_id, since, 'launch call', id, launch_name, rank, launch_ts, returned
    FROM step
    WHERE
      NOT is_awaiting AND waited_for = 'launch'
    UNION ALL
    SELECT window_id, since, 'cpu', id, name, rank, COALESCE(sync_end, since), launch_ts
    FROM step
    WHERE
      NOT is_awaiting AND waited_for = 'launch'
    UNION ALL
    SELECT step.window_id, step.since, 'sync', step.id, sync.name, step.rank, before_end, sync_end
    FROM step
    CROSS JOIN tpt_sync AS sync ON sync.id = step.sync_id
    WHERE
      NOT step.is_awaiting
  )
SELECT
  window_id,
  kind,
  id,
  name,
  rank,
  MAX(ts, since) AS ts,
  ts_end - MAX(ts, since) AS dur
FROM part
WHERE
  ts_end > MAX(ts, since)
ORDER BY window_id, ts;
