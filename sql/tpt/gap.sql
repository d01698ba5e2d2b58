-- Idle gaps of devices, with the work before and after each.

INCLUDE PERFETTO MODULE tpt.gpu_slice;

INCLUDE PERFETTO MODULE tpt.gpu_state;

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
