-- Kernels with what identifies each, whatever profiler recorded them; calls that launched none that
-- is there; replays of graphs without their kernels; annotations by whose names two recordings can
-- be laid side by side.
--
-- Asked by `compare` of either recording.
--
-- Grain: one row per kernel, call, replay or annotation.
-- Scope: rank
-- Needs: kernel, cuda_runtime, cuda_driver, xpu_runtime, user_annotation, op_marks

INCLUDE PERFETTO MODULE tpt.kernel_shape;

INCLUDE PERFETTO MODULE tpt.launched;

WITH
  first_call AS (
    SELECT id, rank, MIN(ts) AS ts, dur, name
    FROM tpt_call
    WHERE
      launch_key IS NOT NULL
    GROUP BY launch_key, upid
  ),
  annotation AS (
    SELECT tpt_process_rank.rank, s.name, s.ts, tpt_recorded_dur!(s.arg_set_id, s.dur) AS dur
    FROM slice AS s
    CROSS JOIN tpt_track USING (track_id)
    LEFT JOIN tpt_process_rank USING (upid)
    WHERE
      s.category = 'user_annotation'
      OR (s.category IN ('cpu_op', 'Operator') AND s.name GLOB 'ProfilerStep*')
  )
SELECT
  -- kernel, call (one that launches a kernel, and none that is there is of it), graph (a replay
  -- that was recorded without its kernels), or annotation (of a name that its rank has once)
  IIF(slice.category = 'cuda_graph', 'graph', 'kernel') AS what,
  -- rank; NULL in the trace of one rank
  work.rank,
  -- its start, ns
  work.ts,
  -- its duration, ns
  work.dur,
  -- its name
  work.name,
  -- name without path and arguments, as an export has it; NULL otherwise
  tpt_arg!(slice.arg_set_id, 'short name') AS short_name,
  -- device of a kernel
  work.device,
  -- stream of a kernel
  work.stream,
  -- start of the call that launched it, ns; NULL where that was not recorded
  work.launch_ts,
  -- blocks of its grid in x, y, z: 512 x 4 x 1; NULL where not recorded
  shape.grid,
  -- threads of a block likewise
  shape.block,
  -- registers of a thread likewise
  shape.registers,
  -- shared memory of a block, bytes, likewise
  shape.shared_memory,
  -- counts the launches of a process, in an export; NULL otherwise
  tpt_int_arg!(slice.arg_set_id, 'nsys grid id') AS grid_id,
  -- 1: it ran in a replay of a graph, else 0
  COALESCE(
    tpt_int_arg!(slice.arg_set_id, 'graph node id') > 0 OR work.launch_name GLOB '*GraphLaunch*',
    0
  ) AS in_graph
FROM tpt_launched AS work
CROSS JOIN slice USING (id)
LEFT JOIN tpt_kernel_shape AS shape USING (id)
WHERE
  work.kind != 'copy'
UNION ALL
SELECT
  'call',
  rank,
  ts,
  dur,
  name,
  NULL,
  NULL,
  NULL,
  ts,
  NULL,
  NULL,
  NULL,
  NULL,
  NULL,
  0
FROM first_call
WHERE
  name GLOB '*Launch*Kernel*'
  AND id NOT IN (
    SELECT launch.id FROM tpt_launched CROSS JOIN tpt_launch AS launch USING (launch_id)
  )
UNION ALL
SELECT
  'annotation',
  rank,
  MIN(ts),
  MIN(dur),
  name,
  NULL,
  NULL,
  NULL,
  NULL,
  NULL,
  NULL,
  NULL,
  NULL,
  NULL,
  0
FROM annotation
GROUP BY rank, name
HAVING
  COUNT(*) = 1;
