-- The peaks of PyTorch's allocators, and what was live then.

INCLUDE PERFETTO MODULE tpt.memory_event;

-- Each device of each process, with the moment at which most was allocated: after an event, or
-- before the first.
CREATE PERFETTO MACRO tpt_memory_peak(
  -- Some of `tpt_memory_event`, with all its columns.
  events TableOrSubquery
)
-- rank; NULL in the trace of one rank
-- upid, device_type, device: as in `tpt_memory_event`
-- number: of the event after which it was, one less than the first's where it was before that
-- ts: when it was, ns; of the time before the first event that of the event
-- bytes: allocated then
-- reserved_bytes: most that the allocator held of the device's memory, at any time
-- start_bytes, end_bytes: allocated before the first event, and after the last
-- allocations, frees: how many there are
-- unpaired_frees, unfreed: of these, without the other one in the trace
-- unexplained: events before which others are missing
RETURNS TableOrSubquery AS
(
  WITH
    given AS (
      SELECT
        *,
        ROW_NUMBER() OVER (PARTITION BY upid, device_type, device ORDER BY number) AS from_first,
        ROW_NUMBER() OVER (PARTITION BY upid, device_type, device ORDER BY number DESC)
          AS from_last
      FROM $events
    ),
    moment AS (
      SELECT upid, device_type, device, number, ts, allocated FROM given
      UNION ALL
      SELECT upid, device_type, device, number - 1, ts, allocated - bytes
      FROM given
      WHERE
        from_first = 1
    ),
    ranked AS (
      SELECT
        *,
        ROW_NUMBER() OVER (PARTITION BY upid, device_type, device ORDER BY allocated DESC, number)
          AS place
      FROM moment
    )
  SELECT
    given.rank,
    given.upid,
    given.device_type,
    given.device,
    ranked.number,
    ranked.ts,
    ranked.allocated AS bytes,
    MAX(given.reserved) AS reserved_bytes,
    MAX(IIF(given.from_first = 1, given.allocated - given.bytes, NULL)) AS start_bytes,
    MAX(IIF(given.from_last = 1, given.allocated, NULL)) AS end_bytes,
    SUM(given.bytes > 0) AS allocations,
    SUM(given.bytes < 0) AS frees,
    SUM(given.bytes < 0 AND given.partner IS NULL) AS unpaired_frees,
    SUM(given.bytes > 0 AND given.partner IS NULL) AS unfreed,
    SUM(COALESCE(given.unexplained, 0) != 0) AS unexplained
  FROM given
  JOIN ranked
    ON ranked.upid = given.upid
    AND ranked.device_type = given.device_type
    AND ranked.device IS given.device
    AND ranked.place = 1
  GROUP BY given.upid, given.device_type, given.device
);

-- The blocks that were allocated in the trace and live at the peak of their device.
CREATE PERFETTO MACRO tpt_memory_live(
  -- The peaks, as `tpt_memory_peak!` has them.
  peaks TableOrSubquery
)
-- id: of the allocation's slice
-- ts: when it was allocated, ns
-- rank, upid, device_type, device: as in `tpt_memory_event`
-- bytes: its size
RETURNS TableOrSubquery AS
(
  SELECT event.id, event.ts, event.rank, event.upid, event.device_type, event.device, event.bytes
  FROM tpt_memory_event AS event
  CROSS JOIN $peaks AS peak
    ON peak.upid = event.upid
    AND peak.device_type = event.device_type
    AND peak.device IS event.device
  WHERE
    event.bytes > 0
    AND event.number <= peak.number
    AND COALESCE(event.partner > peak.number, TRUE)
);
