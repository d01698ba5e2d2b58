-- Idle gaps of devices, with the work before and after each.

INCLUDE PERFETTO MODULE tpt.gpu_slice;

INCLUDE PERFETTO MODULE tpt.gpu_state;

-- GPU work by its end, which TraceProcessor looks for in order.
CREATE PERFETTO TABLE _tpt_work_end AS
SELECT ts_end, upid, device, id
FROM tpt_gpu_slice
ORDER BY ts_end;

-- When no work ran on a device.
CREATE PERFETTO TABLE _tpt_idle AS
SELECT state_id AS gap_id, upid, device, ts, ts + dur AS ts_end
FROM tpt_gpu_state
WHERE
  compute = 0 AND collective = 0 AND copy = 0 AND dur > 0
ORDER BY gap_id;

-- Each gap with the work that ended when it began, and the work that ended it. Of several the one
-- on the lowest stream stands for all.
CREATE PERFETTO TABLE tpt_gap(
  -- Number of the gap, as in `tpt_gpu_state`.
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
  ended AS MATERIALIZED (
    SELECT gap.gap_id, COUNT(work.id) AS works, MIN(work.id) AS id
    FROM _tpt_idle AS gap
    LEFT JOIN _tpt_work_end AS work
      ON work.ts_end = gap.ts AND work.upid = gap.upid AND work.device = gap.device
    GROUP BY gap.gap_id
  ),
  started AS MATERIALIZED (
    SELECT gap.gap_id, COUNT(work.id) AS works, MIN(work.id) AS id
    FROM _tpt_idle AS gap
    LEFT JOIN tpt_gpu_slice AS work
      ON work.ts = gap.ts_end AND work.upid = gap.upid AND work.device = gap.device
    GROUP BY gap.gap_id
  )
SELECT
  gap.gap_id,
  gap.ts,
  gap.ts_end,
  -- of one there is no choice: names of kernels are long, and take time to read
  IIF(
    ended.works < 2,
    ended.id,
    (
      SELECT work.id
      FROM _tpt_work_end AS at_end
      CROSS JOIN tpt_gpu_slice AS work USING (id)
      WHERE
        at_end.ts_end = gap.ts AND at_end.upid = gap.upid AND at_end.device = gap.device
      ORDER BY work.stream, work.name, work.id
      LIMIT 1
    )
  ) AS before_id,
  IIF(
    started.works < 2,
    started.id,
    (
      SELECT id
      FROM tpt_gpu_slice
      WHERE
        ts = gap.ts_end AND upid = gap.upid AND device = gap.device
      ORDER BY stream, name, id
      LIMIT 1
    )
  ) AS after_id
FROM _tpt_idle AS gap
CROSS JOIN ended USING (gap_id)
CROSS JOIN started USING (gap_id)
ORDER BY gap.gap_id;
