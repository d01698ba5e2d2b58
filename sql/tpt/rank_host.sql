-- Machines of the ranks of a job.

-- The machine of each rank, where the trace names it: tp-tools does in what it loads for queries
-- about a job. What `tp-tools merge` writes names no machine, and has no rows here.
CREATE PERFETTO TABLE tpt_rank_host(
  -- The rank.
  rank LONG,
  -- The name of its machine.
  host STRING
) AS
SELECT thread.tid - 1 AS rank, thread.name AS host
FROM process
JOIN thread USING (upid)
WHERE
  process.name = 'machines of ranks' AND thread.name IS NOT NULL
ORDER BY rank;
