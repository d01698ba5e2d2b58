-- GPU time by module: what each nn.Module launched, itself and with the modules that it called.
--
-- Modules are known where Python stacks are recorded (with_stack); a rank without any has the
-- user's annotations (record_function) instead. Work of the backward pass is of the module of its
-- forward op, found by autograd's sequence number. All other work has rows without a path, by the
-- reason, so that self_gpu_ns adds up to all GPU work (total_ns in kernels). GPU times are sums of
-- durations. Replays of CUDA and HIP graphs are taken apart where traces of their capture are given
-- (`--capture`, see captures): a replay is one of the graph with the same launches in the same
-- order.
--
-- Grain: one row per rank and path of modules, and per rank and reason for which work is of none.
-- Scope: rank
-- Needs: kernel, gpu_memcpy, gpu_memset, launch_calls, cpu_op, python_function, user_annotation
-- Set: rank RANGE  only these ranks
-- Set: steps RANGE  only calls that began in these steps, by their number in steps, and work that
--   was launched in them (with tpt.step_of_module needing gpu_user_annotation)
-- Set: name TEXT = '*'  only modules whose names match this pattern: * is any text, ? any
--   character
-- Set: captures TEXT = '[]'  captured launches as JSON: rows of graph, node, is_copy,
--   kernel_hash, path, op, op_call and dims of the query captures; --capture sets it
-- Shown first: rank, name, depth, calls, gpu_ns, self_gpu_ns, backward_gpu_ns, reason, top_op
-- Paste: what `tp-tools sql modules` prints runs in the Query tab of any Perfetto UI.

INCLUDE PERFETTO MODULE tpt.module;

INCLUDE PERFETTO MODULE tpt.replayed;

WITH RECURSIVE
  captured AS MATERIALIZED (
    SELECT * FROM tpt_captured_launch!(tpt_set_captures!())
  ),
  work AS MATERIALIZED (
    SELECT *
    FROM tpt_work_of_module!(captured) AS work
    WHERE
      tpt_set_steps!((SELECT number FROM tpt_step_of_module_work WHERE id = work.id))
  ),
  in_replay AS MATERIALIZED (
    SELECT DISTINCT rank, launch_id, path FROM work WHERE is_replayed
  ),
  in_trace AS (
    SELECT
      *,
      tpt_set_steps!((SELECT number FROM tpt_step_of_module WHERE seq = call.seq)) AS in_steps
    FROM tpt_module_call AS call
  ),
  called AS MATERIALIZED (
    SELECT
      rank,
      path,
      outer_path,
      MIN(name) AS name,
      MIN(depth) AS depth,
      -- calls that the trace has, else replays
      COALESCE(NULLIF(SUM(calls), 0), SUM(replays)) AS calls,
      SUM(cpu_ns) AS cpu_ns
    FROM (
      SELECT rank, path, outer_path, name, depth, in_steps IS 1 AS calls, 0 AS replays,
        IIF(in_steps, dur, 0) AS cpu_ns
      FROM in_trace
      UNION ALL
      SELECT rank, path, outer_path, name, depth, 0, replays, 0
      FROM tpt_replayed_module!(in_replay)
    )
    GROUP BY rank, path
  ),
  launched AS MATERIALIZED (
    SELECT
      rank,
      path,
      reason,
      COUNT(*) AS events,
      SUM(dur) AS gpu_ns,
      SUM(IIF(is_backward, dur, 0)) AS backward_gpu_ns
    FROM work
    GROUP BY rank, path, reason
  ),
  -- the work of each path, and again of each path around it
  around(rank, path, events, gpu_ns, backward_gpu_ns) AS (
    SELECT rank, path, events, gpu_ns, backward_gpu_ns FROM launched WHERE path IS NOT NULL
    UNION ALL
    SELECT around.rank, called.outer_path, around.events, around.gpu_ns, around.backward_gpu_ns
    FROM around
    CROSS JOIN called ON called.path = around.path AND called.rank IS around.rank
    WHERE
      called.outer_path IS NOT NULL
  ),
  total AS MATERIALIZED (
    SELECT
      rank,
      path,
      SUM(events) AS events,
      SUM(gpu_ns) AS gpu_ns,
      SUM(backward_gpu_ns) AS backward_gpu_ns
    FROM around
    GROUP BY rank, path
  ),
  -- by op and shapes, the most GPU time first
  by_op AS (
    SELECT
      rank,
      path,
      reason,
      op AS name,
      dims,
      ROW_NUMBER() OVER (
        PARTITION BY rank, path, reason ORDER BY SUM(dur) DESC, op, dims
      ) AS place
    FROM work
    WHERE
      op IS NOT NULL
    GROUP BY rank, path, reason, op, dims
  ),
  top_op AS MATERIALIZED (
    SELECT rank, path, reason, name, dims FROM by_op WHERE place = 1
  ),
  answer AS (
    SELECT
      called.rank,
      called.path,
      called.name,
      called.depth,
      called.calls,
      called.cpu_ns,
      COALESCE(total.events, 0) AS gpu_events,
      COALESCE(total.gpu_ns, 0) AS gpu_ns,
      COALESCE(launched.gpu_ns, 0) AS self_gpu_ns,
      COALESCE(total.backward_gpu_ns, 0) AS backward_gpu_ns,
      COALESCE(launched.backward_gpu_ns, 0) AS self_backward_gpu_ns,
      NULL AS reason
    FROM called
    LEFT JOIN total ON total.path = called.path AND total.rank IS called.rank
    LEFT JOIN launched ON launched.path = called.path AND launched.rank IS called.rank
    WHERE
      called.calls > 0 OR total.events > 0
    UNION ALL
    SELECT rank, NULL, NULL, NULL, 0, 0, events, gpu_ns, gpu_ns, backward_gpu_ns, backward_gpu_ns,
      reason
    FROM launched
    WHERE
      path IS NULL
  )
SELECT
  -- rank; NULL in the trace of one rank
  answer.rank,
  -- the modules around it from the outermost on, and its name: ResNet_0 > Sequential_0 > Conv2d_1;
  -- NULL: GPU work of no module
  answer.path,
  -- its name, the last of the path: class and number as the profiler writes them, or the annotation
  answer.name,
  -- how many modules the path has
  answer.depth,
  -- how often it was called; of a module that only replays of graphs ran how many did; 0 for work
  -- of no module
  answer.calls,
  -- CPU time in its calls, summed, ns; replays have none
  answer.cpu_ns,
  -- kernels, copies and memsets launched in it or in modules that it called
  answer.gpu_events,
  -- their durations, summed, ns
  answer.gpu_ns,
  -- of that, launched in no module that it called, ns; adds up to all GPU work of the rank
  answer.self_gpu_ns,
  -- of gpu_ns, launched by the backward pass, ns
  answer.backward_gpu_ns,
  -- of self_gpu_ns, launched by the backward pass, ns
  answer.self_backward_gpu_ns,
  -- the op with the most of self_gpu_ns, among its calls with equal shapes; NULL where no op is
  -- known
  top_op.name AS top_op,
  -- the shapes of its inputs; NULL where they are not recorded
  top_op.dims AS top_dims,
  -- why the work is of no module: no modules recorded, launch not recorded, forward not recorded
  -- (work of the backward pass whose forward op is not in the trace), graph replay, outside
  -- modules; NULL for modules
  answer.reason
FROM answer
LEFT JOIN top_op
  ON top_op.path IS answer.path AND top_op.rank IS answer.rank AND top_op.reason IS answer.reason
WHERE
  (answer.rank IS NULL OR tpt_set_rank!(answer.rank))
  AND COALESCE(answer.name, '') GLOB tpt_set_name!()
ORDER BY answer.rank, answer.gpu_ns DESC, answer.path, answer.reason;
