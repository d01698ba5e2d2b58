-- When streams are busy, and for how long several are at once.

-- When each stream was busy: pieces that touch but do not overlap on their stream.
CREATE PERFETTO MACRO tpt_stream_busy(
  -- The work: upid, device, stream, ts and ts_end, as in `tpt_gpu_slice`.
  work TableOrSubquery
)
-- upid, device, stream; ts, start of the piece, ns; ts_end, its end, ns.
RETURNS TableOrSubquery AS
(
  WITH
    edge AS (
      SELECT upid, device, stream, ts AS at, 1 AS step FROM $work
      UNION ALL
      SELECT upid, device, stream, ts_end, -1 FROM $work
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
  ORDER BY upid, device, ts, stream
);

-- Each moment at which a stream begins or ends to be busy.
CREATE PERFETTO MACRO tpt_shared_until(
  -- The pieces, as `tpt_stream_busy!` makes them.
  busy TableOrSubquery
)
-- upid, device; at, the moment, ns; shared_ns, for how long several streams were busy until then,
-- ns.
RETURNS TableOrSubquery AS
(
  WITH
    edge AS (
      SELECT upid, device, ts AS at, 1 AS step FROM $busy
      UNION ALL
      SELECT upid, device, ts_end, -1 FROM $busy
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
  ORDER BY upid, device, at
);
