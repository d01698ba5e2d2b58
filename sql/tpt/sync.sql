-- Host synchronisations: calls in which a CPU thread waits for the GPU.

INCLUDE PERFETTO MODULE tpt.busy_in;

INCLUDE PERFETTO MODULE tpt.gpu_slice;

INCLUDE PERFETTO MODULE tpt.launch;

INCLUDE PERFETTO MODULE tpt.launched;

INCLUDE PERFETTO MODULE tpt.sync_call;

-- The calls that wait by their name, or launched a copy and returned only after it.
CREATE PERFETTO TABLE _tpt_sync_call AS
SELECT id, ts, ts_end, name, rank, upid, track_key
FROM tpt_call
WHERE
  tpt_is_sync_call!(name)
  OR launch_key IN (SELECT launch_key FROM tpt_launched WHERE is_blocking)
ORDER BY id;

-- Each host synchronisation. A call within another one is part of that one.
CREATE PERFETTO TABLE tpt_sync(
  -- Id of the call's slice.
  id JOINID(slice.id),
  -- Its start, ns.
  ts TIMESTAMP,
  -- Its end as recorded, ns.
  ts_end TIMESTAMP,
  -- Its name.
  name STRING,
  -- Its rank; NULL in the trace of one rank.
  rank LONG,
  -- Its process.
  upid JOINID(process.id),
  -- The track of its thread, as `tpt_track_key!` has it.
  track_key LONG,
  -- Of its time, while some GPU of the rank ran anything, ns.
  busy_ns DURATION
) AS
WITH
  outermost AS MATERIALIZED (
    SELECT it.*
    FROM _tpt_sync_call AS it
    CROSS JOIN slice USING (id)
    LEFT JOIN _tpt_sync_call AS outer ON outer.id = slice.parent_id
    WHERE
      outer.id IS NULL
  ),
  work AS (
    SELECT COALESCE(rank, -1) AS key, ts, ts_end FROM tpt_gpu_slice
  ),
  wait AS (
    SELECT id, COALESCE(rank, -1) AS key, ts, ts_end FROM outermost
  )
SELECT outermost.*, busy.busy_ns
FROM outermost
CROSS JOIN tpt_busy_in!(work, wait) AS busy USING (id)
ORDER BY outermost.id;
