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
    ordered AS (
      SELECT
        upid,
        device,
        stream,
        ts,
        ts_end,
        MAX(ts_end) OVER (
          PARTITION BY upid, device, stream
          ORDER BY ts
          ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS busy_until
      FROM $work
    )
  SELECT upid, device, stream, MAX(ts, COALESCE(busy_until, ts)) AS ts, ts_end
  FROM ordered
  WHERE
    ts_end > MAX(ts, COALESCE(busy_until, ts))
  ORDER BY upid, device, ts, stream
);

-- How long each stream was busy, and for how long of that others were, too.
CREATE PERFETTO MACRO tpt_stream_overlap(
  -- The pieces, as `tpt_stream_busy!` makes them.
  busy TableOrSubquery
)
-- upid, device, stream; busy_ns, its pieces, summed, ns; overlap_ns, of that while another stream
-- of the device was busy too, ns.
RETURNS TableOrSubquery AS
(
  WITH
    numbered AS MATERIALIZED (
      SELECT upid, device, stream, ROW_NUMBER() OVER () AS number
      FROM (SELECT DISTINCT upid, device, stream FROM $busy)
    ),
    part AS MATERIALIZED (
      SELECT upid, device, numbered.number, it.ts, it.ts_end
      FROM $busy AS it
      CROSS JOIN numbered USING (upid, device, stream)
    ),
    edge AS (
      SELECT upid, device, number, ts AS at, 1 AS step FROM part
      UNION ALL
      SELECT upid, device, number, ts_end, -1 FROM part
    ),
    -- no time passes between edges at one moment, so that their order is of no account; where one
    -- stream is busy, the sum of numbers is its own
    state AS (
      SELECT
        LEAD(at) OVER device_order - at AS dur,
        SUM(step) OVER device_order AS streams,
        SUM(step * number) OVER device_order AS number
      FROM edge
      WINDOW device_order AS (
        PARTITION BY upid, device ORDER BY at ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
      )
    ),
    alone AS MATERIALIZED (
      SELECT number, SUM(dur) AS alone_ns FROM state WHERE streams = 1 GROUP BY number
    ),
    busy AS MATERIALIZED (
      SELECT number, SUM(ts_end - ts) AS busy_ns FROM part GROUP BY number
    )
  SELECT
    numbered.upid,
    numbered.device,
    numbered.stream,
    busy.busy_ns,
    busy.busy_ns - COALESCE(alone.alone_ns, 0) AS overlap_ns
  FROM numbered
  CROSS JOIN busy USING (number)
  LEFT JOIN alone USING (number)
);
