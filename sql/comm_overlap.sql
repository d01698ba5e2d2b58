-- Communication hidden behind compute, and communication that everything waits for.
--
-- Communication is the union of all collectives of a device; it is hidden while a kernel runs there
-- that is no collective. Copies hide nothing and are no communication. A kernel that starts before
-- the one ahead of it on its stream ends (PDL) counts from that one's end, as in
-- collectives_by_rank: a gemm that waits for an all-reduce hides nothing of it. A rank with several
-- devices has the sum over them.
--
-- Grain: one row per rank.
-- Scope: rank
-- Needs: kernel, gpu_memcpy, gpu_memset
-- Set: rank RANGE  only these ranks
-- Set: steps RANGE  only time in the windows of these steps, by their number in steps, see verdict
--   (with tpt.step_of needing launch_calls, cpu_op, user_annotation,
--   gpu_user_annotation)
-- Paste: what `tp-tools sql comm_overlap` prints runs in the Query tab of any Perfetto UI.

INCLUDE PERFETTO MODULE tpt.gpu_slice;

INCLUDE PERFETTO MODULE tpt.gpu_state;

WITH
  counted AS (
    SELECT rank, COUNT(collective) AS collectives
    FROM tpt_gpu_slice AS work
    WHERE
      tpt_set_steps!((SELECT number FROM tpt_step_of_work WHERE id = work.id))
    GROUP BY rank
  ),
  total AS (
    SELECT
      rank,
      SUM(IIF(collective > 0, dur, 0)) AS communication_ns,
      SUM(IIF(collective > 0 AND compute > 0, dur, 0)) AS hidden_ns
    FROM tpt_gpu_state AS state
    WHERE
      tpt_set_steps!((SELECT number FROM tpt_step_of_state WHERE state_id = state.state_id))
    GROUP BY rank
  )
SELECT
  -- rank; NULL in the trace of one rank
  total.rank,
  -- how many collectives ran; with --set steps those launched in them
  counted.collectives,
  -- at least one collective ran, ns
  total.communication_ns,
  -- of that, while compute ran, ns
  total.hidden_ns,
  -- of that, while no compute ran, ns
  total.communication_ns - total.hidden_ns AS exposed_ns,
  -- hidden share of the communication, per cent, 3 decimals; NULL where there is none
  ROUND(100.0 * total.hidden_ns / NULLIF(total.communication_ns, 0), 3) AS hidden_percent
FROM total
JOIN counted ON counted.rank IS total.rank
WHERE
  total.rank IS NULL OR tpt_set_rank!(total.rank)
ORDER BY total.rank;
