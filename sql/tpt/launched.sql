-- GPU work beside the call that launched it.

INCLUDE PERFETTO MODULE tpt.arg;

INCLUDE PERFETTO MODULE tpt.gpu_slice;

INCLUDE PERFETTO MODULE tpt.launch;

-- The process whose calls launch the work of a stream, where several processes of the trace call
-- the runtime: the stream's own process if it does; else, where processes count their correlation
-- ids alike, the only one whose calls fit. They do not where most begin after the work that has
-- their id. Streams for which several fit are not here. Kineto gives GPU 1 the pid 1, which a
-- container's first process has too: a process with the number of the device is not its own.
CREATE PERFETTO TABLE _tpt_stream_caller AS
WITH
  caller AS MATERIALIZED (
    SELECT DISTINCT upid FROM tpt_call WHERE launch_key IS NOT NULL
  ),
  gpu_stream AS MATERIALIZED (
    SELECT upid, device, stream, upid IN (SELECT upid FROM caller) AND pid IS NOT device AS is_own
    FROM (
      SELECT DISTINCT upid, device, stream
      FROM tpt_gpu_slice
      WHERE
        (SELECT COUNT(*) FROM caller) > 1
    )
    LEFT JOIN process USING (upid)
  ),
  shared AS MATERIALIZED (
    SELECT launch_key, upid, ts FROM tpt_launch WHERE is_shared
  ),
  fitting AS (
    SELECT work.upid, work.device, work.stream, shared.upid AS caller
    FROM tpt_gpu_slice AS work
    CROSS JOIN shared USING (launch_key)
    GROUP BY work.upid, work.device, work.stream, shared.upid
    HAVING
      SUM(IIF(shared.ts <= work.ts, 1, -1)) >= 0
  )
SELECT upid, device, stream, upid AS caller
FROM gpu_stream
WHERE
  is_own
UNION ALL
SELECT upid, device, stream, MIN(caller)
FROM fitting
JOIN gpu_stream USING (upid, device, stream)
WHERE
  NOT is_own
GROUP BY upid, device, stream
HAVING
  COUNT(*) = 1;

-- Each piece of GPU work, with the call that launched it: the call of its `launch_key`. Where calls
-- of several processes have this key, the one that `_tpt_stream_caller` tells; none where it tells
-- none.
CREATE PERFETTO TABLE tpt_launched(
  -- Id of the work's slice.
  id JOINID(slice.id),
  -- Its start, ns.
  ts TIMESTAMP,
  -- Its duration, ns.
  dur DURATION,
  -- Its end, ns.
  ts_end TIMESTAMP,
  -- Its name.
  name STRING,
  -- Its track.
  track_id JOINID(track.id),
  -- Its rank; NULL in the trace of one rank.
  rank LONG,
  -- The process that its track belongs to.
  upid JOINID(process.id),
  -- Its device.
  device LONG,
  -- Its stream.
  stream LONG,
  -- The launch that it comes from, see `tpt_launch`; NULL where the profiler gives none.
  launch_key LONG,
  -- compute, collective, or copy (a memset too).
  kind STRING,
  -- Which collective it is; NULL: none.
  collective STRING,
  -- The call that launched it, as in `tpt_launch`; NULL where the trace has no such call.
  launch_id LONG,
  -- Start of that call, ns; NULL likewise.
  launch_ts TIMESTAMP,
  -- Duration of that call, ns; NULL likewise.
  launch_dur DURATION,
  -- Name of that call; NULL likewise.
  launch_name STRING,
  -- The track of that call's thread, as `tpt_track_key!` has it; NULL likewise.
  launch_track_key LONG,
  -- The process of that call; NULL likewise.
  launch_upid JOINID(process.id),
  -- 1: a copy whose call returned only after it, else 0; NULL for copies without a call.
  is_blocking BOOL,
  -- When it was launched at the latest, ns: a copy whose call returned only after it when that call
  -- began; NULL where the trace has no such call.
  launched_by TIMESTAMP,
  -- Id of the graph that it ran in; NULL or 0: in none.
  graph_id LONG
) AS
WITH
  stream_caller AS MATERIALIZED (
    SELECT * FROM _tpt_stream_caller
  )
SELECT
  work.*,
  launch.launch_id,
  launch.ts AS launch_ts,
  launch.dur AS launch_dur,
  launch.name AS launch_name,
  launch.track_key AS launch_track_key,
  launch.upid AS launch_upid,
  work.kind = 'copy' AND launch.ts_end >= work.ts_end AS is_blocking,
  IIF(
    work.kind = 'copy' AND launch.ts_end >= work.ts_end,
    launch.ts,
    MIN(launch.ts_end, work.ts)
  ) AS launched_by,
  tpt_int_arg!(slice.arg_set_id, 'graph id') AS graph_id
FROM tpt_gpu_slice AS work
CROSS JOIN slice USING (id)
LEFT JOIN stream_caller
  ON stream_caller.upid = work.upid
  AND stream_caller.device = work.device
  AND stream_caller.stream = work.stream
LEFT JOIN tpt_launch AS launch
  ON launch.launch_key = work.launch_key
  AND IIF(stream_caller.caller IS NULL, NOT launch.is_shared, launch.upid = stream_caller.caller)
ORDER BY work.id;
