-- CPU ops by name: calls, self and total CPU time, and GPU time of the kernels that they launched.
--
-- An op lies in another where it starts in it, on the same thread, and ends in it, or outlasts it
-- by at most 1 us, as clocks are read one after the other. Time in an op called by itself counts
-- once. Work belongs to the innermost op around its launch call; where there is no such call or no
-- op around it, to the op of its External id, unless that began later. All other work has rows
-- without a name, by the reason, so that self_gpu_ns adds up to all GPU work (total_ns in kernels).
-- GPU times are sums of durations.
--
-- Grain: one row per rank and op name, and per rank and reason for which GPU work is of no op.
-- Scope: rank
-- Needs: kernel, gpu_memcpy, gpu_memset, launch_calls, cpu_op
-- Set: rank RANGE  only these ranks
-- Set: steps RANGE  only ops that began in these steps, by their number in steps, and work of no op
--   that was launched in them (with tpt.step_of needing user_annotation, gpu_user_annotation)
-- Set: name TEXT = '*'  only ops whose names match this pattern: * is any text, ? any character
-- Paste: what `tp-tools sql ops` prints runs in the Query tab of any Perfetto UI.

INCLUDE PERFETTO MODULE tpt.op;

WITH RECURSIVE
  parent AS MATERIALIZED (
    SELECT seq, parent FROM tpt_op_parent WHERE parent > 0
  ),
  around(work_seq, seq) AS (
    SELECT seq, seq
    FROM tpt_op_work AS work
    WHERE
      tpt_set_steps!((SELECT number FROM tpt_step_of_op WHERE seq = work.seq))
    UNION ALL
    SELECT around.work_seq, parent.parent
    FROM around
    CROSS JOIN parent USING (seq)
  ),
  named AS (
    SELECT DISTINCT around.work_seq, op.rank, op.name
    FROM around
    CROSS JOIN tpt_op AS op USING (seq)
  ),
  total_work AS (
    SELECT named.rank, named.name, SUM(work.events) AS events, SUM(work.gpu_ns) AS gpu_ns
    FROM named
    CROSS JOIN tpt_op_work AS work ON work.seq = named.work_seq
    GROUP BY named.rank, named.name
  ),
  called AS (
    SELECT
      op.rank,
      op.name,
      COUNT(*) AS calls,
      SUM(op.first_ns) AS total_ns,
      SUM(op.self_ns) AS self_ns,
      SUM(work.gpu_ns) AS self_gpu_ns
    FROM tpt_op_time AS op
    LEFT JOIN tpt_op_work AS work USING (seq)
    WHERE
      tpt_set_steps!((SELECT number FROM tpt_step_of_op WHERE seq = op.seq))
    GROUP BY op.rank, op.name
  ),
  answer AS (
    SELECT
      called.rank,
      called.name,
      called.calls,
      called.total_ns,
      called.self_ns,
      COALESCE(total_work.events, 0) AS gpu_events,
      COALESCE(total_work.gpu_ns, 0) AS gpu_ns,
      COALESCE(called.self_gpu_ns, 0) AS self_gpu_ns,
      NULL AS reason
    FROM called
    LEFT JOIN total_work ON total_work.rank IS called.rank AND total_work.name IS called.name
    UNION ALL
    SELECT rank, NULL, 0, 0, 0, COUNT(*), SUM(dur), SUM(dur), reason
    FROM tpt_no_op_work AS work
    WHERE
      tpt_set_steps!((SELECT number FROM tpt_step_of_work WHERE id = work.id))
    GROUP BY rank, reason
  )
SELECT
  -- rank; NULL in the trace of one rank
  rank,
  -- name of the op; NULL: GPU work of no op
  name,
  -- how often it was called; 0 for work of no op
  calls,
  -- CPU time in it, ns; in calls from itself once
  total_ns,
  -- CPU time in it and in no op that it called, ns
  self_ns,
  -- kernels, copies and memsets launched in it or in ops that it called
  gpu_events,
  -- their durations, summed, ns
  gpu_ns,
  -- of that, launched in no op that it called, ns; adds up to all GPU work of the rank
  self_gpu_ns,
  -- why the work is of no op: graph replay (its call launches a graph, outside of ops), outside ops
  -- (any other call outside of ops), launch not recorded; NULL for ops
  reason
FROM answer
WHERE
  (rank IS NULL OR tpt_set_rank!(rank)) AND COALESCE(name, '') GLOB tpt_set_name!()
ORDER BY rank, self_gpu_ns DESC, self_ns DESC, name, reason;
