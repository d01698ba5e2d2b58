-- Nodes: which machines the others wait for, by process group, the slowest first.
--
-- Of the collectives that no rank leaves before the last has come, as in `stragglers`. The machine
-- of a rank is what `tp-tools info` says: known where several traces are given to `tp-tools query`;
-- a merged trace names none. Where the profiler names no process group, all collectives are one.
--
-- Grain: one row per machine and process group.
-- Scope: job
-- Parts: tpt.collective.part, tpt.collective.context, tpt.rank_host
-- Needs: kernel, launch_calls, op_marks, user_annotation, gpu_user_annotation, collective
-- Args: device, stream, correlation
-- Set: steps RANGE  only collectives launched in these steps, by their number in steps
-- Shown first: host, host_caused_wait_us, process_group, times_last, caused_wait_us, straggler
-- Paste: what `tp-tools sql nodes` prints runs in the Query tab of any Perfetto UI.

INCLUDE PERFETTO MODULE tpt.rank_host;

INCLUDE PERFETTO MODULE tpt.collective.window;

INCLUDE PERFETTO MODULE tpt.collective.approach;

WITH
  part AS MATERIALIZED (
    SELECT
      approach.match_id,
      whole.process_group,
      whole.process_group_desc,
      whole.members,
      place.host,
      approach.rank,
      approach.wait_ns,
      approach.all_wait_ns,
      approach.is_last,
      approach.last_ranks
    FROM tpt_collective_approach AS approach
    CROSS JOIN tpt_collective_rank AS own USING (id)
    CROSS JOIN tpt_collective_window AS whole ON whole.match_id = approach.match_id
    LEFT JOIN tpt_rank_host AS place ON place.rank = approach.rank
    WHERE
      approach.is_sure AND tpt_set_steps!(own.step_number)
  ),
  -- what a machine did in a collective
  share AS (
    SELECT
      process_group,
      MIN(process_group_desc) AS process_group_desc,
      members,
      host,
      MAX(is_last) AS is_last,
      SUM(IIF(is_last, 1.0 * all_wait_ns / last_ranks, 0)) AS caused_wait_ns,
      SUM(IIF(is_last, 1.0 / last_ranks, 0)) * (MAX(all_wait_ns) - SUM(wait_ns)) AS elsewhere_ns
    FROM part
    GROUP BY match_id, process_group, members, host
  ),
  total AS (
    SELECT
      process_group,
      MIN(process_group_desc) AS process_group_desc,
      members,
      host,
      COUNT(*) AS collectives,
      SUM(is_last) AS times_last,
      SUM(caused_wait_ns) AS caused_wait_ns,
      SUM(elsewhere_ns) AS elsewhere_ns
    FROM share
    GROUP BY process_group, members, host
  ),
  late AS (
    SELECT
      process_group,
      members,
      host,
      rank,
      SUM(IIF(is_last, 1.0 * all_wait_ns / last_ranks, 0)) AS caused_wait_ns
    FROM part
    GROUP BY process_group, members, host, rank
  ),
  latest AS (
    SELECT
      *,
      COUNT(*) OVER of_total AS ranks,
      ROW_NUMBER() OVER (of_total ORDER BY caused_wait_ns DESC, rank) AS place
    FROM late
    WINDOW of_total AS (PARTITION BY process_group, members, host)
  )
SELECT
  -- name of the machine; NULL where it is not known: all such ranks together
  it.host,
  -- time that all other ranks waited for its ranks in collectives of any group, us
  SUM(it.caused_wait_ns) OVER (PARTITION BY it.host) / 1e3 AS host_caused_wait_us,
  -- name of the process group; NULL without args
  it.process_group,
  -- its description; NULL without args
  it.process_group_desc,
  -- ranks that take part, as the profiler writes them; NULL without args
  it.members,
  -- ranks of the group on the machine
  latest.ranks,
  -- collectives of the group that they share with other ranks, all matches sure
  it.collectives,
  -- those to which one of them came last, later than another rank
  it.times_last,
  -- time that all other ranks of the group waited for them in these, us; divided among ranks that
  -- came last together
  it.caused_wait_ns / 1e3 AS caused_wait_us,
  -- the part of it in which ranks of other machines waited, us; NULL where the machine is not known
  IIF(it.host IS NULL, NULL, it.elsewhere_ns / 1e3) AS elsewhere_wait_us,
  -- the rank on the machine for which the others waited longest; NULL where nobody waited
  IIF(latest.caused_wait_ns > 0, latest.rank, NULL) AS straggler,
  -- time that they waited for it, us; NULL likewise
  IIF(latest.caused_wait_ns > 0, latest.caused_wait_ns / 1e3, NULL) AS straggler_wait_us
FROM total AS it
JOIN
  latest
  ON latest.process_group IS it.process_group
  AND latest.members IS it.members
  AND latest.host IS it.host
WHERE
  latest.place = 1
ORDER BY host_caused_wait_us DESC, it.host, caused_wait_us DESC, it.process_group, it.members;
