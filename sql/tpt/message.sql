-- Messages between ranks, and the time in which a rank does nothing but wait for them.

INCLUDE PERFETTO MODULE tpt.busy_in;

INCLUDE PERFETTO MODULE tpt.kernel_turn;

INCLUDE PERFETTO MODULE tpt.step;

INCLUDE PERFETTO MODULE tpt.collective.window;

-- Each end of a message on the GPU that says with which rank. Of messages that are open at once,
-- time counts to the one that began first: `since` is when it began to be that one.
CREATE PERFETTO TABLE _tpt_message_end AS
SELECT
  part.id,
  part.track_id,
  part.rank,
  part.upid,
  part.device,
  part.kind,
  IIF(part.kind = 'recv', part.src_rank, part.dst_rank) AS peer,
  part.process_group_desc,
  part.bytes,
  part.arrival,
  part.ts_end,
  MIN(
    part.ts_end,
    MAX(
      part.arrival,
      COALESCE(
        MAX(part.ts_end) OVER (
          PARTITION BY part.upid, part.device
          ORDER BY part.arrival, part.ts_end, part.id
          ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ),
        part.arrival
      )
    )
  ) AS since,
  -- when both ends had come
  IIF(
    part.confidence IN ('certain', 'tested'), MIN(part.ts_end, part.arrival + part.wait_ns), NULL
  ) AS met,
  of_step.seq
FROM tpt_collective_rank AS part
LEFT JOIN tpt_step_work AS of_step USING (id)
WHERE
  part.kind IN ('send', 'recv')
  AND part.device IS NOT NULL
  AND IIF(part.kind = 'recv', part.src_rank, part.dst_rank) IS NOT NULL
ORDER BY part.id;

-- Each end of a message, with the time in which its rank computes nothing meanwhile. Each moment
-- counts to one message.
CREATE PERFETTO TABLE tpt_message(
  -- Id of the slice of its kernel.
  id JOINID(slice.id),
  -- Its track.
  track_id JOINID(track.id),
  -- Its rank; NULL in the trace of one rank.
  rank LONG,
  -- The process that its track belongs to.
  upid JOINID(process.id),
  -- Its device.
  device LONG,
  -- send or recv.
  kind STRING,
  -- The rank at the other end.
  peer LONG,
  -- Its number among those of its kind with this rank in its step.
  message LONG,
  -- Description of its process group; NULL where the profiler gives none.
  process_group_desc STRING,
  -- Its bytes; NULL without them.
  bytes LONG,
  -- When the rank came to it, ns.
  arrival TIMESTAMP,
  -- Its end, ns.
  ts_end TIMESTAMP,
  -- No compute ran on the device, and no earlier message was open, ns.
  bubble_ns DURATION,
  -- Of that, until the other rank had come, ns; NULL where its end was not found for sure.
  waiting_ns DURATION,
  -- The step that launched it, as in `tpt_step`; NULL: none.
  seq LONG
) AS
WITH
  compute AS (
    SELECT upid || ' ' || device AS key, turn AS ts, ts_end
    FROM tpt_kernel_turn
    WHERE
      kind = 'compute'
  ),
  -- two intervals of each: until both ends had come, and all of it
  meeting AS (
    SELECT 2 * id AS id, upid || ' ' || device AS key, since AS ts, ts_end FROM _tpt_message_end
    UNION ALL
    SELECT 2 * id + 1, upid || ' ' || device, since, MAX(since, met)
    FROM _tpt_message_end
    WHERE
      met IS NOT NULL
  ),
  busy AS MATERIALIZED (
    SELECT * FROM tpt_busy_in!(compute, meeting)
  )
SELECT
  it.id,
  it.track_id,
  it.rank,
  it.upid,
  it.device,
  it.kind,
  it.peer,
  ROW_NUMBER() OVER (
    PARTITION BY it.upid, it.device, it.seq, it.kind, it.peer ORDER BY it.arrival, it.id
  ) AS message,
  it.process_group_desc,
  it.bytes,
  it.arrival,
  it.ts_end,
  it.ts_end - it.since - busy.busy_ns AS bubble_ns,
  MAX(it.since, it.met) - it.since - until_met.busy_ns AS waiting_ns,
  it.seq
FROM _tpt_message_end AS it
CROSS JOIN busy ON busy.id = 2 * it.id
LEFT JOIN busy AS until_met ON until_met.id = 2 * it.id + 1
ORDER BY it.id;
