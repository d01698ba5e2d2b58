-- Collectives as slices of a timeline: the whole, the wait for the last rank, and the wire.

INCLUDE PERFETTO MODULE tpt.collective.window;

-- A slice for each collective, and with several ranks one for each of its two parts.
CREATE PERFETTO VIEW tpt_collective_timeline(
  -- collectives: from the first arrival to the last end; waiting: until the last rank arrives;
  -- wire: from then on.
  part STRING,
  -- Its start, ns.
  ts TIMESTAMP,
  -- Its duration, ns.
  dur DURATION,
  -- Kind, duration and the rank that came last; of parts: waiting for rank 4, on the wire.
  name STRING,
  -- The collective, as in `tpt_collective_window`.
  collective LONG,
  -- Its kind.
  kind STRING,
  -- Ranks whose kernel of it the trace holds.
  ranks LONG,
  -- The rank that arrived last; NULL where several did, and in the trace of one rank.
  straggler LONG,
  -- Whether its parts are known to be one collective: certain, tested, uncertain, alone.
  confidence STRING,
  -- Id of the slice of the kernel that arrived last, in this trace.
  slice_id JOINID(slice.id)
) AS
WITH
  shown AS (
    SELECT
      'collectives' AS part,
      first_arrival AS ts,
      window_end - first_arrival AS dur,
      IIF(
        straggler IS NULL,
        kind,
        FORMAT('%s, %.1f us, last: rank %d', kind, (window_end - first_arrival) / 1e3, straggler)
      ) AS name,
      *
    FROM tpt_collective_window
    UNION ALL
    SELECT
      'waiting',
      first_arrival,
      last_arrival - first_arrival,
      IIF(straggler IS NULL, 'waiting', FORMAT('waiting for rank %d', straggler)),
      *
    FROM tpt_collective_window
    WHERE
      ranks > 1
    UNION ALL
    SELECT 'wire', last_arrival, window_end - last_arrival, 'on the wire', *
    FROM tpt_collective_window
    WHERE
      ranks > 1
  )
SELECT part, ts, dur, name, collective, kind, ranks, straggler, confidence, slice_id
FROM shown;
