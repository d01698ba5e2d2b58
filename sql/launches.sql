-- Launch delays: when the CPU launched each piece of GPU work, and how long that waited to start.
--
-- A small delay with an empty queue means that the GPU waits for the CPU; a long one with a deep
-- queue, that the CPU is far ahead. Under a graph all kernels come from one call.
--
-- Grain: one row per kernel, copy or memset.
-- Scope: rank
-- Needs: kernel, gpu_memcpy, gpu_memset, launch_calls
-- Set: rank RANGE  only these ranks
-- Set: steps RANGE  only work launched in these steps, by their number in steps (with tpt.step
--   needing launch_calls, op_marks, user_annotation, gpu_user_annotation)
-- Set: name TEXT = '*'  only names that match this pattern: * is any text, ? any character
-- Paste: what `tp-tools sql launches` prints runs in the Query tab of any Perfetto UI.

INCLUDE PERFETTO MODULE tpt.launched;

WITH
  launched AS (
    SELECT id, upid, device, stream, launch_ts AS at, MAX(ts, launch_ts) AS start
    FROM tpt_launched
    WHERE
      launch_ts IS NOT NULL
  ),
  -- the queue of a stream: +1 where a launch begins, -1 where its work starts. A stream runs work
  -- in the order of launches, so that work without a recorded launch was launched before all that
  -- starts after it: it waits at each such launch that begins before it starts
  point AS (
    SELECT id, upid, device, stream, at, 1 AS step, 0 AS unrecorded FROM launched
    UNION ALL
    SELECT id, upid, device, stream, start, -1, 0 FROM launched
    UNION ALL
    SELECT NULL, upid, device, stream, ts, 0, 1 FROM tpt_launched WHERE launch_ts IS NULL
  ),
  -- at each of these what came before its time
  counted AS (
    SELECT
      id,
      step,
      COALESCE(SUM(step) OVER earlier, 0) AS queued,
      COALESCE(SUM(unrecorded) OVER earlier, 0) AS started
    FROM point
    WINDOW earlier AS (
      PARTITION BY upid, device, stream
      ORDER BY at
      GROUPS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    )
  ),
  queue AS MATERIALIZED (
    SELECT id, SUM(IIF(step = 1, queued, 0) - step * started) AS depth
    FROM counted
    WHERE
      id IS NOT NULL
    GROUP BY id
  )
SELECT
  -- rank; NULL in the trace of one rank
  work.rank,
  -- device
  work.device,
  -- stream
  work.stream,
  -- start of the work, ns
  work.ts,
  -- its duration, ns
  work.dur,
  -- its name
  work.name,
  -- compute, collective, or copy (a memset too)
  work.kind,
  -- start of the call that launched it, ns; NULL where the trace has no such call
  work.launch_ts,
  -- duration of that call, ns; NULL likewise
  work.launch_dur,
  -- name of that call; NULL likewise
  work.launch_name,
  -- from the start of the call to the start of the work, ns; NULL likewise. Below 0 the clocks of
  -- CPU and GPU differ, or the recorder rounded
  work.ts - work.launch_ts AS delay_ns,
  -- work on the stream whose launch began before this one and that had not started by then. Work
  -- without a recorded launch is counted where it starts between this launch and this work: a
  -- stream keeps the order of launches. NULL likewise
  queue.depth AS queue_depth,
  -- 1: launched as part of a graph, 0: by itself; NULL where nothing tells
  CASE
    WHEN work.graph_id > 0 OR work.launch_name GLOB '*GraphLaunch*' THEN 1
    WHEN work.launch_name IS NOT NULL THEN 0
  END AS is_graph,
  -- id of its slice in this trace; in the UI (v55 and later) a link to it
  work.id,
  -- id of its track in this trace
  work.track_id
FROM tpt_launched AS work
LEFT JOIN queue USING (id)
WHERE
  (work.rank IS NULL OR tpt_set_rank!(work.rank))
  AND tpt_set_steps!((SELECT number FROM tpt_step_work WHERE id = work.id))
  AND work.name GLOB tpt_set_name!()
ORDER BY work.ts, work.rank, work.device, work.stream, work.name;
