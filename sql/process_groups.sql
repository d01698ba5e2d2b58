-- Process groups: how long their ranks waited for each other in collectives, and for whom.
--
-- The group that lost most comes first. Where the profiler names no group, all collectives of a
-- kind are one row, whatever their ranks.
--
-- Grain: one row per process group and kind of collective.
-- Scope: job
-- Parts: tpt.collective.part, tpt.collective.context
-- Needs: kernel, launch_calls, op_marks, user_annotation, gpu_user_annotation, collective
-- Args: device, stream, correlation
-- Set: steps RANGE  only those launched in these steps by the rank that arrived last, by their
--   number in steps
-- Shown first: process_group, kind, ranks, collectives, wait_us, straggler, straggler_wait_us
-- Paste: what `tp-tools sql process_groups` prints runs in the Query tab of any Perfetto UI.

INCLUDE PERFETTO MODULE tpt.collective.window;

WITH
  whole AS MATERIALIZED (
    SELECT
      match_id,
      process_group,
      process_group_desc,
      members,
      kind,
      ranks_expected,
      confidence IN ('certain', 'tested') AS is_sure,
      confidence = 'uncertain' AS is_uncertain,
      wait_us,
      skew_us,
      transfer_us,
      bytes
    FROM tpt_collective_window
    WHERE
      tpt_set_steps!(step_number)
  ),
  part AS MATERIALIZED (
    SELECT
      whole.*,
      part.rank,
      part.is_last,
      SUM(part.is_last) OVER (PARTITION BY match_id) AS last_ranks
    FROM whole
    JOIN tpt_collective_rank AS part USING (match_id)
  ),
  late AS (
    SELECT
      process_group,
      members,
      kind,
      rank,
      SUM(is_last AND is_sure) AS times_last,
      SUM(IIF(is_last AND is_sure, 1.0 * wait_us / last_ranks, 0)) AS caused_wait_us
    FROM part
    GROUP BY process_group, members, kind, rank
  ),
  latest AS (
    SELECT
      *,
      COUNT(*) OVER (PARTITION BY process_group, members, kind) AS ranks,
      ROW_NUMBER() OVER (
        PARTITION BY process_group, members, kind
        ORDER BY caused_wait_us DESC, rank
      ) AS place
    FROM late
  ),
  total AS (
    SELECT
      process_group,
      MIN(process_group_desc) AS process_group_desc,
      members,
      kind,
      MAX(ranks_expected) AS ranks_expected,
      SUM(is_sure) AS collectives,
      SUM(is_uncertain) AS uncertain,
      SUM(IIF(is_sure, wait_us, 0)) AS wait_us,
      MAX(IIF(is_sure, skew_us, NULL)) AS longest_skew_us,
      SUM(IIF(is_sure, transfer_us, 0)) AS transfer_us,
      SUM(IIF(is_sure, bytes, NULL)) AS bytes
    FROM whole
    GROUP BY process_group, members, kind
  )
SELECT
  -- name of the process group; NULL without args
  total.process_group,
  -- its description; NULL without args
  total.process_group_desc,
  -- ranks that take part, as the profiler writes them; NULL without args
  total.members,
  -- all_reduce, all_gather, reduce_scatter, all_to_all, broadcast, reduce, gather, scatter,
  -- send_recv, barrier, dispatch, combine; unknown where its name does not say
  total.kind,
  -- ranks in the trace that have such a collective
  latest.ranks,
  -- most ranks that take part in one; where the trace does not give them: the most that ever come
  total.ranks_expected,
  -- collectives that several ranks in the trace share, all matches sure
  total.collectives,
  -- collectives that are left out here, since their match is uncertain
  total.uncertain,
  -- time that all ranks waited for the last one, us
  total.wait_us,
  -- longest time from the first to the last arrival, us; NULL without any
  total.longest_skew_us,
  -- time from the last arrival to the last end, all of them, us
  total.transfer_us,
  -- bytes of all of them, of the rank that has most; NULL without args
  total.bytes,
  -- rank for which the others waited longest; NULL where nobody waited, and with one rank
  IIF(latest.caused_wait_us > 0, latest.rank, NULL) AS straggler,
  -- how often it came last, later than another; alike for all that came last together
  IIF(latest.caused_wait_us > 0, latest.times_last, NULL) AS straggler_times_last,
  -- time that the others waited for it, us; divided among ranks that came last together
  IIF(latest.caused_wait_us > 0, latest.caused_wait_us, NULL) AS straggler_wait_us
FROM total
JOIN
  latest
  ON latest.process_group IS total.process_group
  AND latest.members IS total.members
  AND latest.kind = total.kind
WHERE
  latest.place = 1
ORDER BY total.wait_us DESC, total.process_group, total.members, total.kind;
