-- Ranks of the processes of a merged trace.

-- The rank of each process, by its name: "rank 3 (TP3 DP0) GPU 3", "[TP03] 3", "[TP03-PP01] 3".
-- Where TP numbers repeat, ranks are counted in the order of DP, PP, TP, EP.
CREATE PERFETTO TABLE tpt_process_rank(
  -- The process.
  upid JOINID(process.id),
  -- Its rank; NULL where its name says none: in the trace of one rank.
  rank LONG
) AS
WITH
  label AS (
    SELECT
      upid,
      CAST(REGEXP_EXTRACT(name, '^\[?[Rr]ank[ _]?([0-9]+)') AS INT) AS rank,
      CAST(REGEXP_EXTRACT(name, '^\[[^ ]*TP([0-9]+)') AS INT) AS tp,
      COALESCE(CAST(REGEXP_EXTRACT(name, '^\[[^ ]*DP([0-9]+)') AS INT), 0) AS dp,
      COALESCE(CAST(REGEXP_EXTRACT(name, '^\[[^ ]*PP([0-9]+)') AS INT), 0) AS pp,
      COALESCE(CAST(REGEXP_EXTRACT(name, '^\[[^ ]*EP([0-9]+)') AS INT), 0) AS ep
    FROM process
  ),
  place AS (
    SELECT DISTINCT tp, dp, pp, ep FROM label WHERE tp IS NOT NULL
  ),
  numbered AS (
    SELECT
      *,
      IIF(
        (SELECT COUNT(*) = COUNT(DISTINCT tp) FROM place),
        tp,
        ROW_NUMBER() OVER (ORDER BY dp, pp, tp, ep) - 1
      ) AS rank
    FROM place
  )
SELECT label.upid, COALESCE(label.rank, numbered.rank) AS rank
FROM label
LEFT JOIN numbered USING (tp, dp, pp, ep)
ORDER BY label.upid;
