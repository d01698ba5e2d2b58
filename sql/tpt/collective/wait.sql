-- When collectives wait for other ranks.

INCLUDE PERFETTO MODULE tpt.collective.approach;

INCLUDE PERFETTO MODULE tpt.collective.part;

-- The part of each collective on a device in which it waits: until the last rank has come, or it
-- ends before by a clock that is ahead. Only where the match is sure.
CREATE PERFETTO TABLE tpt_collective_wait(
  -- The process that the device's tracks belong to.
  upid JOINID(process.id),
  -- Device.
  device LONG,
  -- Arrival of the rank, ns.
  ts TIMESTAMP,
  -- When it waits no more, ns.
  ts_end TIMESTAMP
) AS
SELECT
  part.upid,
  part.device,
  part.arrival AS ts,
  MIN(part.arrival + part.wait_ns, work.ts_end) AS ts_end
FROM tpt_collective_approach AS part
CROSS JOIN tpt_collective_part AS work USING (id)
WHERE
  part.is_sure AND part.wait_ns > 0 AND part.device IS NOT NULL
ORDER BY part.id;
