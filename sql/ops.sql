-- CPU ops by name: calls, self and total CPU time, and GPU time of the kernels that they launched.
--
-- An op lies in another where it starts in it, on the same thread, and ends in it, or outlasts it
-- by at most 1 us, as clocks are read one after the other. Time in an op called by itself counts
-- once. Work belongs to the innermost op around its launch call; where there is no such call or no
-- op around it, to the op of its External id. GPU times are sums of durations.
--
-- Grain: one row per rank and op name.
-- Scope: rank
-- Needs: kernel, gpu_memcpy, gpu_memset, cuda_runtime, cuda_driver, xpu_runtime, cpu_op
-- Paste: what `tp-tools sql ops` prints runs in the Query tab of any Perfetto UI.

INCLUDE PERFETTO MODULE tpt.op;

WITH RECURSIVE
  parent AS MATERIALIZED (
    SELECT seq, parent FROM tpt_op_parent WHERE parent > 0
  ),
  around(work_seq, seq) AS (
    SELECT seq, seq FROM tpt_op_work
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
      SUM(IIF(op.is_recursive, 0, op.dur)) AS total_ns,
      SUM(op.self_ns) AS self_ns,
      SUM(work.gpu_ns) AS self_gpu_ns
    FROM tpt_op_time AS op
    LEFT JOIN tpt_op_work AS work USING (seq)
    GROUP BY op.rank, op.name
  )
SELECT
  -- rank; NULL in the trace of one rank
  called.rank,
  -- name of the op
  called.name,
  -- how often it was called
  called.calls,
  -- CPU time in it, ns; in calls from itself once
  called.total_ns,
  -- CPU time in it and in no op that it called, ns
  called.self_ns,
  -- kernels, copies and memsets launched in it or in ops that it called
  COALESCE(total_work.events, 0) AS gpu_events,
  -- their durations, summed, ns
  COALESCE(total_work.gpu_ns, 0) AS gpu_ns,
  -- of that, launched in no op that it called, ns
  COALESCE(called.self_gpu_ns, 0) AS self_gpu_ns
FROM called
LEFT JOIN total_work ON total_work.rank IS called.rank AND total_work.name = called.name
ORDER BY called.rank, self_gpu_ns DESC, called.self_ns DESC, called.name;
