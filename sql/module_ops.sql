-- GPU time by module, op and shapes: what each nn.Module launched itself, by the op and its inputs.
--
-- Modules are those of the query modules, whose self_gpu_ns is the sum of their rows here. Work of
-- no module has rows without a path, by the reason, so that gpu_ns adds up to all GPU work. GPU
-- times are sums of durations. Of replays of graphs modules, ops and shapes are known where traces
-- of their capture are given (`--capture`, see captures); where graphs of several shapes fit, as
-- those for several sizes of batch do, shapes are not.
--
-- Grain: one row per rank, path of modules (or reason why it is of none), op and shapes.
-- Scope: rank
-- Needs: kernel, gpu_memcpy, gpu_memset, launch_calls, cpu_op, python_function, user_annotation
-- Set: rank RANGE  only these ranks
-- Set: steps RANGE  only work that was launched in these steps, by their number in steps (with
--   tpt.step_of_module needing gpu_user_annotation)
-- Set: path TEXT = '*'  only modules whose paths match this pattern: * is any text, ? any character
-- Set: captures TEXT = '[]'  captured launches as JSON: rows of graph, node, is_copy,
--   kernel_hash, path, op, op_call and dims of the query captures; --capture sets it
-- Shown first: rank, path, op, dims, calls, gpu_ns, backward_gpu_ns, reason
-- Paste: what `tp-tools sql module_ops` prints runs in the Query tab of any Perfetto UI.

INCLUDE PERFETTO MODULE tpt.replayed;

WITH
  captured AS MATERIALIZED (
    SELECT * FROM tpt_captured_launch!(tpt_set_captures!())
  ),
  work AS MATERIALIZED (
    SELECT *
    FROM tpt_work_of_module!(captured) AS work
    WHERE
      tpt_set_steps!((SELECT number FROM tpt_step_of_module_work WHERE id = work.id))
  )
SELECT
  -- rank; NULL in the trace of one rank
  work.rank,
  -- the modules around it from the outermost on, and its name, as in modules; NULL: of no module
  work.path,
  -- the op that launched the work, of the backward pass its own; NULL where no op is known,
  -- as of replays without a trace of their capture
  work.op,
  -- the shapes of its inputs; NULL where they are not recorded, or not known of a replay
  work.dims,
  -- how many calls of the op launched work there; 0 where no op is known
  COUNT(DISTINCT work.call) AS calls,
  -- kernels, copies and memsets that they launched
  COUNT(*) AS gpu_events,
  -- their durations, summed, ns; adds up to all GPU work of the rank
  SUM(work.dur) AS gpu_ns,
  -- of gpu_ns, launched by the backward pass, ns
  SUM(IIF(work.is_backward, work.dur, 0)) AS backward_gpu_ns,
  -- why the work is of no module, as in modules; NULL for modules
  work.reason
FROM work
WHERE
  (work.rank IS NULL OR tpt_set_rank!(work.rank)) AND COALESCE(work.path, '') GLOB tpt_set_path!()
GROUP BY work.rank, work.path, work.reason, work.op, work.dims
ORDER BY work.rank, gpu_ns DESC, work.path, work.reason, work.op, work.dims;
