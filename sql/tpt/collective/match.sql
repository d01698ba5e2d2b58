-- Matches between the parts of different ranks that are one collective.

INCLUDE PERFETTO MODULE tpt.collective.part;

-- The collective of each part. The match that `tp-tools merge` found stands. In other merges parts
-- are matched by Comms Id, else by number within the process group, else by order within process
-- group (or stream), kind and bytes. Messages are matched by their two ranks and order: PyTorch
-- writes the Seq of the next collective on them, and a Comms Id made from that.
--
-- Order is tested against time: all ranks are in a collective at one moment. Where counts differ,
-- or time says otherwise, time decides, and nothing is matched where it does not.
CREATE PERFETTO TABLE tpt_collective_match(
  -- Id of the part's slice.
  id JOINID(slice.id),
  -- Its collective: the lowest id of the parts.
  match_id JOINID(slice.id),
  -- comms_id, seq, order or time; NULL where no other part was found.
  matched_by STRING,
  -- certain; tested: by order or time, and all ranks were in it at one moment; uncertain; alone:
  -- with one rank.
  confidence STRING,
  -- How many ranks take part; NULL where neither args nor the merge say it.
  group_size LONG,
  -- The parts that are matched in order among themselves: of one kind, process group or stream, and
  -- size.
  sequence STRING
) AS
WITH
  used_streams AS (
    SELECT kind, rank, STRING_AGG(stream, ' ' ORDER BY stream) AS streams
    FROM (SELECT DISTINCT kind, rank, stream FROM tpt_collective_part)
    GROUP BY kind, rank
  ),
  -- streams tell collectives apart where all ranks use the same ones
  stream_use AS MATERIALIZED (
    SELECT kind, COUNT(DISTINCT streams) = 1 AS is_same FROM used_streams GROUP BY kind
  ),
  described AS MATERIALIZED (
    SELECT
      part.*,
      part.kind IN ('send', 'recv') AS is_message,
      IFNULL(part.process_group, '') || ' ' || IFNULL(part.members, '') AS team,
      stream_use.is_same AND part.process_group IS NULL AS is_by_stream
    FROM tpt_collective_part AS part
    JOIN stream_use USING (kind)
  ),
  identified AS MATERIALIZED (
    SELECT
      id,
      rank,
      arrival,
      ts_end,
      group_size,
      CASE
        WHEN merged_as IS NOT NULL THEN 'merge'
        WHEN is_message OR (SELECT MAX(merged_as) FROM tpt_collective_part) IS NOT NULL THEN NULL
        WHEN comms_id IS NOT NULL THEN 'comms_id'
        WHEN seq IS NOT NULL AND process_group IS NOT NULL THEN 'seq'
      END AS method,
      CASE
        WHEN merged_as IS NOT NULL THEN merged_as
        WHEN comms_id IS NOT NULL THEN comms_id
        ELSE kind || ' ' || seq || ' ' || team
      END AS identity,
      IIF(
        is_message,
        FORMAT('message %d %d %d %s', src_rank, dst_rank, bytes, team),
        FORMAT(
          '%s %s %d %s',
          kind,
          IIF(is_by_stream, stream, ''),
          -- ranks may send different amounts to all the others
          IIF(kind = 'all_to_all', NULL, bytes),
          team
        )
      ) AS sequence,
      IIF(
        is_message,
        src_rank IS NOT NULL AND dst_rank IS NOT NULL,
        (SELECT MAX(merged_as) FROM tpt_collective_part) IS NULL
      ) AS may_follow
    FROM described
  ),
  by_identity AS (
    SELECT
      id,
      method,
      identity || ' ' || IIF(
        method = 'merge',
        '',
        -- one operation may be several kernels: the n-th belongs to the n-th
        ROW_NUMBER() OVER (PARTITION BY method, identity, rank ORDER BY arrival, id)
      ) AS label
    FROM identified
    WHERE
      method IS NOT NULL
  ),
  counted AS (
    SELECT sequence, rank, COUNT(*) AS parts, MAX(group_size) AS group_size
    FROM identified
    WHERE
      method IS NULL AND may_follow
    GROUP BY sequence, rank
  ),
  -- a sequence of more ranks than its group has is of several groups that cannot be told apart
  candidate AS MATERIALIZED (
    SELECT
      ROW_NUMBER() OVER (ORDER BY sequence) AS sequence_id,
      sequence,
      COUNT(*) AS ranks,
      MIN(parts) AS fewest,
      MIN(parts) = MAX(parts) AS is_equal
    FROM counted
    GROUP BY sequence
    HAVING COUNT(*) > 1 AND COUNT(*) <= IFNULL(MAX(group_size), COUNT(*))
  ),
  follower AS (
    SELECT
      it.id,
      it.rank,
      it.arrival,
      it.ts_end,
      candidate.sequence_id,
      candidate.ranks,
      ROW_NUMBER() OVER (
        PARTITION BY candidate.sequence_id, it.rank
        ORDER BY it.arrival, it.id
      ) AS nth,
      MIN(it.ts_end, LAG(it.ts_end) OVER ended)
      - MAX(it.arrival, LAG(it.arrival) OVER ended) AS shared,
      MIN(it.ts_end - it.arrival, LAG(it.ts_end - it.arrival) OVER ended) AS shorter
    FROM identified AS it
    JOIN candidate USING (sequence)
    WHERE
      it.method IS NULL AND it.may_follow
    WINDOW ended AS (PARTITION BY candidate.sequence_id ORDER BY it.ts_end, it.id)
  ),
  -- parts of one collective end together, so the next to end shares half of the shorter's time
  placed AS MATERIALIZED (
    SELECT
      id,
      rank,
      arrival,
      ts_end,
      sequence_id,
      ranks,
      nth,
      SUM(IFNULL(2 * shared <= shorter, TRUE)) OVER (
        PARTITION BY sequence_id
        ORDER BY ts_end, id
        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
      ) AS moment
    FROM follower
  ),
  attempt AS MATERIALIZED (
    SELECT
      sequence_id,
      'order' AS method,
      nth AS place,
      TRUE AS is_possible,
      COUNT(*) = ranks AND MAX(arrival) < MIN(ts_end) AS is_good
    FROM placed
    GROUP BY sequence_id, nth
    UNION ALL
    SELECT
      sequence_id,
      'time',
      moment,
      COUNT(*) = COUNT(DISTINCT rank) AND COUNT(*) > 1,
      COUNT(*) = ranks AND COUNT(DISTINCT rank) = ranks AND MAX(arrival) < MIN(ts_end)
    FROM placed
    GROUP BY sequence_id, moment
  ),
  tried AS (
    SELECT
      sequence_id,
      SUM(is_good AND method = 'order') AS good_by_order,
      SUM(is_good AND method = 'time') AS good_by_time
    FROM attempt
    GROUP BY sequence_id
  ),
  chosen AS MATERIALIZED (
    SELECT
      candidate.sequence_id,
      CASE
        WHEN candidate.is_equal AND tried.good_by_order >= tried.good_by_time THEN 'order'
        WHEN tried.good_by_time > 0 THEN 'time'
      END AS method,
      -- some fit by chance: no more than what they take of the time
      2 * MAX(tried.good_by_order, tried.good_by_time) >= candidate.fewest AS is_trusted
    FROM candidate
    JOIN tried USING (sequence_id)
  ),
  by_sequence AS (
    SELECT
      it.id,
      it.method,
      it.place || ' ' || it.sequence_id AS label,
      it.is_trusted AND attempt.is_good AS is_tested
    FROM (
      SELECT
        placed.id,
        placed.sequence_id,
        IIF(chosen.method = 'order', placed.nth, placed.moment) AS place,
        chosen.method,
        chosen.is_trusted
      FROM placed
      JOIN chosen USING (sequence_id)
    ) AS it
    -- in this order: SQLite would look up the places of a sequence for each of its parts
    CROSS JOIN attempt
      ON attempt.sequence_id = it.sequence_id
      AND attempt.method = it.method
      AND attempt.place = it.place
    WHERE
      attempt.is_possible
  ),
  labelled AS (
    SELECT id, method, label, 'certain' AS confidence FROM by_identity
    UNION ALL
    SELECT id, method, label, IIF(is_tested, 'tested', 'uncertain') FROM by_sequence
  )
SELECT
  part.id,
  MIN(part.id) OVER same AS match_id,
  IIF(
    COUNT(*) OVER same = 1,
    NULL,
    IIF(labelled.method = 'merge', merged.matched_by, labelled.method)
  ) AS matched_by,
  IIF(
    COUNT(*) OVER same = 1,
    'alone',
    IIF(labelled.method = 'merge', merged.confidence, labelled.confidence)
  ) AS confidence,
  COALESCE(part.group_size, merged.ranks_expected) AS group_size,
  identified.sequence
FROM tpt_collective_part AS part
JOIN identified USING (id)
LEFT JOIN labelled USING (id)
LEFT JOIN tpt_collective_merged AS merged ON merged.merged_as = part.merged_as
WINDOW same AS (PARTITION BY IFNULL(labelled.method, 'alone'), IFNULL(labelled.label, part.id))
ORDER BY part.id;
