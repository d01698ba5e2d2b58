-- When streams are busy, and for how long several are at once.

INCLUDE PERFETTO MODULE tpt.gpu_slice;

-- When each stream was busy: pieces that touch but do not overlap on their stream.
CREATE PERFETTO TABLE tpt_stream_busy(
  -- The process that the stream's row belongs to.
  upid JOINID(process.id),
  -- Device.
  device LONG,
  -- Stream.
  stream LONG,
  -- Start of the piece, ns.
  ts TIMESTAMP,
  -- Its end, ns.
  ts_end TIMESTAMP
) AS
WITH
  edge AS (
    SELECT upid, device, stream, ts AS at, 1 AS step FROM tpt_gpu_slice
    UNION ALL
    SELECT upid, device, stream, ts_end, -1 FROM tpt_gpu_slice
  ),
  change AS (
    SELECT upid, device, stream, at, SUM(step) AS step
    FROM edge
    GROUP BY upid, device, stream, at
  ),
  state AS (
    SELECT
      upid,
      device,
      stream,
      at AS ts,
      LEAD(at) OVER stream_order AS ts_end,
      SUM(step) OVER stream_order AS running
    FROM change
    WINDOW stream_order AS (PARTITION BY upid, device, stream ORDER BY at)
  )
SELECT upid, device, stream, ts, ts_end
FROM state
WHERE
  running > 0
ORDER BY upid, device, ts, stream;

-- Each moment at which a stream begins or ends to be busy.
CREATE PERFETTO TABLE tpt_shared_until(
  -- The process that the device's rows belong to.
  upid JOINID(process.id),
  -- Device.
  device LONG,
  -- The moment, ns.
  at TIMESTAMP,
  -- For how long several streams were busy until then, ns.
  shared_ns DURATION
) AS
WITH
  edge AS (
    SELECT upid, device, ts AS at, 1 AS step FROM tpt_stream_busy
    UNION ALL
    SELECT upid, device, ts_end, -1 FROM tpt_stream_busy
  ),
  change AS (
    SELECT upid, device, at, SUM(step) AS step FROM edge GROUP BY upid, device, at
  ),
  state AS (
    SELECT
      upid,
      device,
      at,
      LEAD(at) OVER device_order - at AS dur,
      SUM(step) OVER device_order AS streams
    FROM change
    WINDOW device_order AS (PARTITION BY upid, device ORDER BY at)
  )
SELECT
  upid,
  device,
  at,
  COALESCE(
    SUM(IIF(streams > 1, dur, 0)) OVER (
      PARTITION BY upid, device ORDER BY at ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ),
    0
  ) AS shared_ns
FROM state
ORDER BY upid, device, at;
