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
    edge AS (
      SELECT upid, device, stream, ts AS at, 1 AS step FROM $busy
      UNION ALL
      SELECT upid, device, stream, ts_end, -1 FROM $busy
    ),
    -- no time passes between edges at one moment, so that their order is of no account
    state AS (
      SELECT
        upid,
        device,
        stream,
        at,
        step,
        LEAD(at) OVER device_order - at AS dur,
        SUM(step) OVER device_order AS streams
      FROM edge
      WINDOW device_order AS (PARTITION BY upid, device ORDER BY at, stream, step)
    ),
    -- for how long several streams were busy until each edge
    shared AS (
      SELECT
        upid,
        device,
        stream,
        at,
        step,
        COALESCE(
          SUM(IIF(streams > 1, dur, 0)) OVER (
            PARTITION BY upid, device
            ORDER BY at, stream, step
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
          ),
          0
        ) AS shared_ns
      FROM state
    )
  SELECT
    upid,
    device,
    stream,
    SUM(-step * at) AS busy_ns,
    SUM(-step * shared_ns) AS overlap_ns
  FROM shared
  GROUP BY upid, device, stream
);
