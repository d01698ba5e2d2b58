-- Messages between ranks, and the time in which a rank does nothing but wait for them.

INCLUDE PERFETTO MODULE tpt.busy_in;

INCLUDE PERFETTO MODULE tpt.gpu_exposed;

INCLUDE PERFETTO MODULE tpt.message_end;

INCLUDE PERFETTO MODULE tpt.step;

INCLUDE PERFETTO MODULE tpt.collective.window;

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
  seq JOINID(tpt_step.seq)
) AS
WITH
  -- when both ends had come; NULL where that is not known for sure
  message AS MATERIALIZED (
    SELECT
      part.*,
      message_end.peer,
      message_end.since,
      message_end.seq AS step_seq,
      IIF(
        part.confidence IN ('certain', 'tested'),
        MIN(part.ts_end, part.arrival + part.wait_ns),
        NULL
      ) AS met
    FROM tpt_message_end AS message_end
    CROSS JOIN tpt_collective_rank AS part USING (id)
  ),
  exposed AS (
    SELECT upid || ' ' || device AS key, ts, ts_end FROM tpt_gpu_exposed
  ),
  -- two intervals of each: until both ends had come, and all of it
  meeting AS (
    SELECT 2 * id AS id, upid || ' ' || device AS key, since AS ts, ts_end FROM message
    UNION ALL
    SELECT 2 * id + 1, upid || ' ' || device, since, MAX(since, met)
    FROM message
    WHERE
      met IS NOT NULL
  ),
  bubble AS MATERIALIZED (
    SELECT * FROM tpt_busy_in!(exposed, meeting)
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
    PARTITION BY it.upid, it.device, it.step_seq, it.kind, it.peer ORDER BY it.arrival, it.id
  ) AS message,
  it.process_group_desc,
  it.bytes,
  it.arrival,
  it.ts_end,
  bubble.busy_ns AS bubble_ns,
  until_met.busy_ns AS waiting_ns,
  it.step_seq AS seq
FROM message AS it
CROSS JOIN bubble ON bubble.id = 2 * it.id
LEFT JOIN bubble AS until_met ON until_met.id = 2 * it.id + 1
ORDER BY it.id;
