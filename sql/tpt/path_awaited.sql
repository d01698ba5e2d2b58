-- Ranks that collectives waited for: the edges of critical paths from rank to rank.

INCLUDE PERFETTO MODULE tpt.collective.approach;

INCLUDE PERFETTO MODULE tpt.collective.part;

-- The rank that each collective waited for: the part that came last, of several that of the lowest
-- rank. Only where the match is sure, and the part ran on when the last had come.
CREATE PERFETTO TABLE tpt_path_awaited(
  -- Id of the part's slice.
  id JOINID(slice.id),
  -- That of the part that came last.
  last_id JOINID(slice.id),
  -- When it came, ns.
  last_arrival TIMESTAMP
) AS
WITH
  last AS MATERIALIZED (
    SELECT match_id, id, MIN(rank) AS rank
    FROM tpt_collective_approach
    WHERE
      is_sure AND wait_ns = 0
    GROUP BY match_id
  )
SELECT
  part.id,
  last.id AS last_id,
  part.arrival + part.wait_ns AS last_arrival
FROM tpt_collective_approach AS part
CROSS JOIN last USING (match_id)
CROSS JOIN tpt_collective_part AS own ON own.id = part.id
WHERE
  part.is_sure
  AND part.wait_ns > 0
  AND part.device IS NOT NULL
  AND part.arrival + part.wait_ns < own.ts_end
ORDER BY part.id;
