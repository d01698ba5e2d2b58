-- Launch delays: when the CPU launched each piece of GPU work, and how long that waited to start.
--
-- A small delay with an empty queue means that the GPU waits for the CPU; a long one with a deep
-- queue, that the CPU is far ahead. Under a graph all kernels come from one call.
--
-- Grain: one row per kernel, copy or memset.
-- Scope: rank
-- Needs: kernel, gpu_memcpy, gpu_memset, cuda_runtime, cuda_driver, xpu_runtime
-- Paste: what `tp-tools sql launches` prints runs in the Query tab of any Perfetto UI.

INCLUDE PERFETTO MODULE tpt.launched;

WITH
  -- work in the queue of a stream: +1 where its launch begins, -1 where it starts. A stream runs
  -- work in the order of launches, so that work without a recorded launch was launched before all
  -- that starts after it: `unrecorded` counts the starts of such work
  edge AS (
    SELECT NULL AS id, upid, device, stream, launch_ts AS at, 1 AS step, 0 AS unrecorded
    FROM tpt_launched
    WHERE
      launch_ts IS NOT NULL
    UNION ALL
    SELECT NULL, upid, device, stream, MAX(ts, launch_ts), -1, 0
    FROM tpt_launched
    WHERE
      launch_ts IS NOT NULL
    UNION ALL
    SELECT NULL, upid, device, stream, ts, 0, 1 FROM tpt_launched WHERE launch_ts IS NULL
  ),
  asked AS (
    SELECT id, upid, device, stream, launch_ts AS at, 0 AS is_start
    FROM tpt_launched
    WHERE
      launch_ts IS NOT NULL
    UNION ALL
    SELECT id, upid, device, stream, MAX(ts, launch_ts), 1
    FROM tpt_launched
    WHERE
      launch_ts IS NOT NULL
  ),
  counted AS (
    SELECT
      id,
      is_start,
      SUM(step) OVER earlier AS queued,
      SUM(unrecorded) OVER earlier AS unrecorded
    FROM (
      SELECT *, NULL AS is_start FROM edge
      UNION ALL
      SELECT id, upid, device, stream, at, 0, 0, is_start FROM asked
    )
    WINDOW earlier AS (
      PARTITION BY upid, device, stream
      ORDER BY at
      RANGE BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    )
  ),
  queue AS (
    SELECT
      id,
      SUM(IIF(is_start, 0, COALESCE(queued, 0)))
      + SUM(IIF(is_start, 1, -1) * COALESCE(unrecorded, 0)) AS depth
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
ORDER BY work.ts, work.rank, work.device, work.stream, work.name;
