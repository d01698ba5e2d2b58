-- What each piece of GPU work waited for on its rank before it ran: edges of critical paths.

INCLUDE PERFETTO MODULE tpt.kernel_turn;

INCLUDE PERFETTO MODULE tpt.launched;

INCLUDE PERFETTO MODULE tpt.sync;

-- Each piece of GPU work with its place in the order of ends, when it had been launched, and when
-- that call had returned: at the latest when its turn came.
CREATE PERFETTO TABLE _tpt_path_work AS
SELECT
  ROW_NUMBER() OVER (ORDER BY work.ts_end, work.id) AS number,
  work.id,
  work.upid,
  work.device,
  work.stream,
  COALESCE(work.rank, -1) AS rank,
  COALESCE(kernel.turn, work.ts) AS turn,
  work.ts_end,
  work.launch_upid,
  MIN(work.launch_ts, COALESCE(kernel.turn, work.ts)) AS launch_ts,
  MIN(work.launched_by, COALESCE(kernel.turn, work.ts)) AS launched_by,
  MIN(work.launch_ts + work.launch_dur, COALESCE(kernel.turn, work.ts)) AS returned
FROM tpt_launched AS work
LEFT JOIN tpt_kernel_turn AS kernel USING (id)
ORDER BY number;

-- The work that had ended last when the turn of each came, on its device and on its stream.
CREATE PERFETTO TABLE _tpt_path_before AS
WITH
  -- work of no duration is before nothing, so that no two are before each other
  point AS (
    SELECT upid, device, stream, ts_end AS at, number, NULL AS id
    FROM _tpt_path_work
    WHERE
      ts_end > turn
    UNION ALL
    SELECT upid, device, stream, turn, NULL, id FROM _tpt_path_work
  ),
  latest AS (
    SELECT
      id,
      MAX(number) OVER (
        PARTITION BY upid, device
        ORDER BY at, id IS NOT NULL
        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
      ) AS on_device,
      MAX(number) OVER (
        PARTITION BY upid, device, stream
        ORDER BY at, id IS NOT NULL
        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
      ) AS on_stream
    FROM point
  )
SELECT id, on_device, on_stream
FROM latest
WHERE
  id IS NOT NULL
ORDER BY id;

-- The host synchronisations that held a thread which launches work until work of its rank ended,
-- with the last of that work.
CREATE PERFETTO TABLE _tpt_path_sync AS
WITH
  launching AS MATERIALIZED (
    SELECT DISTINCT launch_upid AS upid, launch_track_key AS track_key
    FROM tpt_launched
    WHERE
      launch_upid IS NOT NULL
  ),
  point AS (
    SELECT rank, ts_end AS at, number, NULL AS id FROM _tpt_path_work WHERE ts_end > turn
    UNION ALL
    SELECT COALESCE(rank, -1), ts_end, NULL, id FROM tpt_sync
  ),
  latest AS (
    SELECT
      id,
      MAX(number) OVER (
        PARTITION BY rank
        ORDER BY at, id IS NOT NULL
        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
      ) AS number
    FROM point
  )
SELECT
  ROW_NUMBER() OVER (ORDER BY sync.ts_end, sync.id) AS sync_number,
  sync.id,
  sync.upid,
  sync.ts_end,
  work.id AS work_id,
  work.ts_end AS work_end
FROM latest
CROSS JOIN tpt_sync AS sync USING (id)
CROSS JOIN launching USING (upid, track_key)
CROSS JOIN _tpt_path_work AS work USING (number)
WHERE
  latest.id IS NOT NULL AND work.ts_end > sync.ts
ORDER BY sync_number;

-- The last of these synchronisations in the process before the call that launched each work.
CREATE PERFETTO TABLE _tpt_path_synced AS
WITH
  point AS (
    SELECT upid, ts_end AS at, sync_number, NULL AS id FROM _tpt_path_sync
    UNION ALL
    SELECT launch_upid, launch_ts, NULL, id FROM _tpt_path_work WHERE launch_ts IS NOT NULL
  ),
  latest AS (
    SELECT
      id,
      MAX(sync_number) OVER (
        PARTITION BY upid
        ORDER BY at, id IS NOT NULL
        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
      ) AS sync_number
    FROM point
  )
SELECT latest.id, sync.id AS sync_id, sync.ts_end, sync.work_id, sync.work_end
FROM latest
CROSS JOIN _tpt_path_sync AS sync USING (sync_number)
WHERE
  latest.id IS NOT NULL
ORDER BY latest.id;

-- For each piece of GPU work the cause on its rank that it waited for last. The time between its
-- turn and the cause is covered: by turn, launched_by, launch_ts, sync_end, before_end, where they
-- are not NULL.
CREATE PERFETTO TABLE tpt_path_link(
  -- Id of the work's slice.
  id JOINID(slice.id),
  -- When its turn came, ns, as in `tpt_kernel_turn`; of copies their start.
  turn TIMESTAMP,
  -- launch: its launch came last; device: other work of its device ended last; NULL: neither is in
  -- the trace.
  waited_for STRING,
  -- 1: the trace has the call that launched it, else 0.
  is_launched BOOL,
  -- When its launch call had returned, or its turn came in that call, ns; NULL where it did not
  -- wait for its launch.
  returned TIMESTAMP,
  -- Start of the launch call, ns; NULL likewise.
  launch_ts TIMESTAMP,
  -- The synchronisation before that call; NULL likewise, or where none held the CPU.
  sync_id JOINID(slice.id),
  -- Its end, ns; NULL likewise.
  sync_end TIMESTAMP,
  -- The work before it: on the device, or that which the synchronisation waited for; NULL: none.
  before_id JOINID(slice.id),
  -- Its end, ns; NULL: none.
  before_end TIMESTAMP
) AS
WITH
  met AS (
    SELECT
      work.*,
      IIF(
        on_stream.ts_end = on_device.ts_end, on_stream.id, on_device.id
      ) AS ended_id,
      on_device.ts_end AS ended_at,
      COALESCE(on_device.ts_end >= work.launched_by, on_device.ts_end IS NOT NULL) AS is_by_device
    FROM _tpt_path_work AS work
    CROSS JOIN _tpt_path_before AS before USING (id)
    LEFT JOIN _tpt_path_work AS on_device ON on_device.number = before.on_device
    LEFT JOIN _tpt_path_work AS on_stream ON on_stream.number = before.on_stream
  )
SELECT
  met.id,
  met.turn,
  CASE
    WHEN met.is_by_device THEN 'device'
    WHEN met.launched_by IS NOT NULL THEN 'launch'
  END AS waited_for,
  met.launched_by IS NOT NULL AS is_launched,
  IIF(met.is_by_device, NULL, met.returned) AS returned,
  IIF(met.is_by_device, NULL, met.launch_ts) AS launch_ts,
  IIF(met.is_by_device, NULL, synced.sync_id) AS sync_id,
  IIF(met.is_by_device, NULL, synced.ts_end) AS sync_end,
  IIF(met.is_by_device, met.ended_id, synced.work_id) AS before_id,
  IIF(met.is_by_device, met.ended_at, synced.work_end) AS before_end
FROM met
LEFT JOIN _tpt_path_synced AS synced USING (id)
ORDER BY met.id;
