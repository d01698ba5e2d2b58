-- When it was the turn of each kernel: the rule for programmatic dependent launch (PDL).

INCLUDE PERFETTO MODULE tpt.gpu_slice;

-- When it was each kernel's turn: at its start, or, where it overlaps the one ahead of it on its
-- stream, when that ended. Under programmatic dependent launch (PDL) kernels start early and wait.
CREATE PERFETTO TABLE tpt_kernel_turn(
  -- Id of the kernel's slice.
  id JOINID(slice.id),
  -- The process that its track belongs to.
  upid JOINID(process.id),
  -- Its device.
  device LONG,
  -- Its stream.
  stream LONG,
  -- compute or collective.
  kind STRING,
  -- When its turn came, ns.
  turn TIMESTAMP,
  -- Its end, ns.
  ts_end TIMESTAMP
) AS
WITH
  ordered AS (
    SELECT
      id,
      upid,
      device,
      stream,
      kind,
      ts,
      ts_end,
      MAX(ts_end) OVER (
        PARTITION BY upid, device, stream
        ORDER BY ts, ts_end, id
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
      ) AS ahead_end
    FROM tpt_gpu_slice
    WHERE
      kind != 'copy'
  )
SELECT
  id,
  upid,
  device,
  stream,
  kind,
  -- a kernel did not wait for work that outlasts it
  IIF(ahead_end > ts AND ahead_end < ts_end, ahead_end, ts) AS turn,
  ts_end
FROM ordered
ORDER BY id;
