-- Idle gaps of devices: the work before and after each, and the calls in which threads waited.

INCLUDE PERFETTO MODULE tpt.gpu_slice;

INCLUDE PERFETTO MODULE tpt.gpu_state;

INCLUDE PERFETTO MODULE tpt.launch;

INCLUDE PERFETTO MODULE tpt.launched;

-- Each gap with the work that ended when it began, and the work that ended it. Of several the one
-- on the lowest stream stands for all.
CREATE PERFETTO TABLE tpt_gap(
  -- Number of the gap.
  gap_id LONG,
  -- Its start, ns.
  ts TIMESTAMP,
  -- Its end, ns.
  ts_end TIMESTAMP,
  -- The work that ended when it began.
  before_id JOINID(slice.id),
  -- The work that ended it.
  after_id JOINID(slice.id)
) AS
WITH
  gap AS (
    SELECT ROW_NUMBER() OVER () AS gap_id, upid, device, ts, ts + dur AS ts_end
    FROM tpt_gpu_state
    WHERE
      compute = 0 AND collective = 0 AND copy = 0 AND dur > 0
  ),
  starting AS (
    SELECT
      upid,
      device,
      ts AS at,
      id,
      ROW_NUMBER() OVER (PARTITION BY upid, device, ts ORDER BY stream, name, id) AS place
    FROM tpt_gpu_slice
  ),
  ending AS (
    SELECT
      upid,
      device,
      ts_end AS at,
      id,
      ROW_NUMBER() OVER (PARTITION BY upid, device, ts_end ORDER BY stream, name, id) AS place
    FROM tpt_gpu_slice
  ),
  met AS (
    SELECT upid, device, ts AS at, gap_id AS begins, NULL AS ends, NULL AS before, NULL AS after
    FROM gap
    UNION ALL
    SELECT upid, device, ts_end, NULL, gap_id, NULL, NULL FROM gap
    UNION ALL
    SELECT upid, device, at, NULL, NULL, id, NULL FROM ending WHERE place = 1
    UNION ALL
    SELECT upid, device, at, NULL, NULL, NULL, id FROM starting WHERE place = 1
  ),
  moment AS (
    SELECT
      at,
      MAX(begins) AS begins,
      MAX(ends) AS ends,
      MAX(before) AS before_id,
      MAX(after) AS after_id
    FROM met
    GROUP BY upid, device, at
  ),
  side AS (
    SELECT begins AS gap_id, at AS ts, NULL AS ts_end, before_id, NULL AS after_id
    FROM moment
    WHERE
      begins IS NOT NULL
    UNION ALL
    SELECT ends, NULL, at, NULL, after_id FROM moment WHERE ends IS NOT NULL
  )
SELECT
  gap_id,
  MAX(ts) AS ts,
  MAX(ts_end) AS ts_end,
  MAX(before_id) AS before_id,
  MAX(after_id) AS after_id
FROM side
GROUP BY gap_id
ORDER BY gap_id;

-- The calls in which a thread waits for the GPU.
CREATE PERFETTO TABLE _tpt_wait AS
SELECT upid, row_id, ts, ts_end, name
FROM tpt_call
WHERE
  name GLOB '*Synchronize*'
  OR launch_key IN (SELECT launch_key FROM tpt_launched WHERE is_blocking)
ORDER BY upid, row_id, ts;

-- The call in which the thread that ended a gap waited for the GPU when the gap began. Gaps without
-- such a wait have no row here.
CREATE PERFETTO TABLE tpt_gap_wait(
  -- Number of the gap.
  gap_id LONG,
  -- Name of the call that waits.
  name STRING
) AS
WITH
  point AS (
    SELECT upid, row_id, ts AS at, 0 AS is_gap, ts_end, NULL AS gap_id FROM _tpt_wait
    UNION ALL
    SELECT after.launch_upid, after.launch_row, gap.ts, 1, NULL, gap.gap_id
    FROM tpt_gap AS gap
    CROSS JOIN tpt_launched AS after ON after.id = gap.after_id
    WHERE
      after.launch_row IS NOT NULL
  ),
  latest AS (
    SELECT
      upid,
      row_id,
      at,
      gap_id,
      MAX(ts_end) OVER (
        PARTITION BY upid, row_id
        ORDER BY at, is_gap
        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
      ) AS ts_end
    FROM point
  ),
  wait AS MATERIALIZED (
    SELECT * FROM _tpt_wait
  )
SELECT latest.gap_id, MIN(wait.name) AS name
FROM latest
CROSS JOIN wait
  ON wait.upid = latest.upid AND wait.row_id = latest.row_id AND wait.ts_end = latest.ts_end
WHERE
  latest.gap_id IS NOT NULL AND latest.ts_end > latest.at
GROUP BY latest.gap_id
ORDER BY latest.gap_id;
