-- Work on the way to collectives.

INCLUDE PERFETTO MODULE tpt.gpu_slice;

INCLUDE PERFETTO MODULE tpt.collective.approach;

INCLUDE PERFETTO MODULE tpt.collective.window;

-- At least the kernels and copies on the way to collectives of the ranks that came last, and of
-- those whose arrival is the median. In a window of time that is also what each device did before
-- its first collective and behind its last one, and so may be in those tables of the whole job.
CREATE PERFETTO TABLE tpt_collective_work(
  -- Id of its slice.
  id JOINID(slice.id),
  -- Its start, ns.
  ts TIMESTAMP,
  -- Its end, ns.
  ts_end TIMESTAMP,
  -- Name of the kernel, or the profiler's name of the copy.
  name STRING,
  -- The process that its track belongs to.
  upid JOINID(process.id),
  -- Its device.
  device LONG
) AS
WITH
  way AS (
    SELECT upid, device, IFNULL(since, 0) AS since, arrival
    FROM tpt_collective_approach
    WHERE
      is_sure AND (is_last OR is_median)
    UNION ALL
    SELECT upid, device, MAX(ts_end), NULL FROM tpt_collective_rank GROUP BY upid, device
  ),
  point AS (
    SELECT NULL AS id, upid, device, arrival AS at, since, FALSE AS is_work FROM way
    UNION ALL
    SELECT id, upid, device, ts, NULL, TRUE FROM tpt_gpu_slice WHERE kind != 'collective'
  ),
  -- later ways of a device begin later, so that the least is that of the next
  ahead AS (
    SELECT
      id,
      MIN(since) OVER (
        PARTITION BY upid, device
        ORDER BY at DESC NULLS FIRST, is_work DESC
        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
      ) AS since
    FROM point
  )
SELECT work.id, work.ts, work.ts_end, work.name, work.upid, work.device
FROM ahead
JOIN tpt_gpu_slice AS work USING (id)
WHERE
  work.ts_end > IFNULL(ahead.since, 0)
ORDER BY work.id;
