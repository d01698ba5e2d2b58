-- The time of each device, cut into the windows of its steps.

INCLUDE PERFETTO MODULE tpt.gpu_state;

INCLUDE PERFETTO MODULE tpt.kernel_turn;

INCLUDE PERFETTO MODULE tpt.gpu_slice;

INCLUDE PERFETTO MODULE tpt.step;

-- Windows of each device, which touch and make up the time from its first to its last work. That of
-- a step ends with the last work that it launched and begins where that of the step before ends;
-- the first begins with the first work of any step. Steps without work on the device have none.
CREATE PERFETTO TABLE tpt_step_window(
  -- Number of the window, in the order of devices and starts.
  window_id JOINID(tpt_step_window.window_id),
  -- The process that the device's tracks belong to.
  upid JOINID(process.id),
  -- Device.
  device LONG,
  -- Rank; NULL in the trace of one rank.
  rank LONG,
  -- Its step, as in `tpt_step`; NULL: before the first step, after the last, or no steps.
  seq JOINID(tpt_step.seq),
  -- step, before the first step, after the last step, or no steps.
  part STRING,
  -- Its start, ns.
  ts TIMESTAMP,
  -- Its end, ns; the start where work of steps before outlasted the step's own.
  ts_end TIMESTAMP
) AS
WITH
  device AS MATERIALIZED (
    SELECT upid, device, MIN(rank) AS rank, MIN(ts) AS ts, MAX(ts + dur) AS ts_end
    FROM tpt_gpu_state
    GROUP BY upid, device
  ),
  launched AS (
    SELECT
      work.upid,
      work.device,
      of_step.seq,
      MIN(COALESCE(kernel.turn, work.ts)) AS ts,
      MAX(work.ts_end) AS ts_end
    FROM tpt_gpu_slice AS work
    CROSS JOIN tpt_step_work AS of_step USING (id)
    LEFT JOIN tpt_kernel_turn AS kernel USING (id)
    WHERE
      of_step.seq IS NOT NULL
    GROUP BY work.upid, work.device, of_step.seq
  ),
  ended AS MATERIALIZED (
    SELECT
      upid,
      device,
      seq,
      MIN(ts) OVER (PARTITION BY upid, device) AS first_ts,
      MAX(ts_end) OVER (
        PARTITION BY upid, device ORDER BY seq ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
      ) AS ts_end
    FROM launched
  ),
  stepped AS MATERIALIZED (
    SELECT upid, device, MIN(first_ts) AS ts, MAX(ts_end) AS ts_end
    FROM ended
    GROUP BY upid, device
  ),
  piece AS (
    SELECT
      upid,
      device,
      seq,
      'step' AS part,
      COALESCE(LAG(ts_end) OVER (PARTITION BY upid, device ORDER BY seq), first_ts) AS ts,
      ts_end
    FROM ended
    UNION ALL
    SELECT device.upid, device.device, NULL, 'before the first step', device.ts, stepped.ts
    FROM device
    CROSS JOIN stepped USING (upid, device)
    WHERE
      device.ts < stepped.ts
    UNION ALL
    SELECT device.upid, device.device, NULL, 'after the last step', stepped.ts_end, device.ts_end
    FROM device
    CROSS JOIN stepped USING (upid, device)
    WHERE
      stepped.ts_end < device.ts_end
    UNION ALL
    SELECT device.upid, device.device, NULL, 'no steps', device.ts, device.ts_end
    FROM device
    LEFT JOIN stepped USING (upid, device)
    WHERE
      stepped.ts IS NULL
  )
SELECT
  ROW_NUMBER() OVER (
    ORDER BY piece.upid, piece.device, piece.ts, piece.ts_end, piece.seq
  ) AS window_id,
  piece.upid,
  piece.device,
  device.rank,
  piece.seq,
  piece.part,
  piece.ts,
  piece.ts_end
FROM piece
CROSS JOIN device USING (upid, device)
ORDER BY window_id;

-- The window in which each of some moments of a device lies. A window ends when work ends, so that
-- no piece of `tpt_gpu_state` and no gap lies in two.
CREATE PERFETTO MACRO tpt_window_of(
  -- The moments: upid, device, ts, and id, which is never NULL.
  moments TableOrSubquery
)
-- id and window_id; NULL before the first window.
RETURNS TableOrSubquery AS
(
  WITH
    point AS (
      SELECT upid, device, ts AS at, window_id, NULL AS id FROM tpt_step_window
      UNION ALL
      SELECT upid, device, ts, NULL, id FROM $moments
    ),
    latest AS (
      SELECT
        id,
        MAX(window_id) OVER (
          PARTITION BY upid, device
          ORDER BY at, id IS NOT NULL
          ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS window_id
      FROM point
    )
  SELECT id, window_id
  FROM latest
  WHERE
    id IS NOT NULL
);
