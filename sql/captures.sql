-- Captures of CUDA and HIP graphs: the launches that each was made of, their modules and ops.
--
-- While a stream is captured launches run nothing; each replay of the graph runs them all. Engines
-- that record their captures (vLLM: capture_torch_profiler; SGLang: --enable-profile-cuda-graph)
-- leave traces of them in a folder capture_traces. `modules` and `module_ops` take replays apart by
-- these rows: `tp-tools query modules TRACE --capture capture_traces/`.
--
-- Grain: one row per launch, copy or memset that was captured.
-- Scope: rank
-- Needs: kernel, gpu_memcpy, gpu_memset, cuda_runtime, cuda_driver, xpu_runtime, cpu_op,
--   python_function, user_annotation
-- Set: rank RANGE  only these ranks
-- Shown first: rank, graph, node, call, kernel, path, op, dims
-- Kernel names: kernel
-- Paste: what `tp-tools sql captures` prints runs in the Query tab of any Perfetto UI.

INCLUDE PERFETTO MODULE tpt.captured;

SELECT
  -- rank; NULL in the trace of one rank
  it.rank,
  -- number of the graph, in the order of captures, from 0
  it.graph,
  -- number of the launch in its graph, from 0
  it.node,
  -- name of the call
  it.call,
  -- 1: it copies or sets memory, 0: it launches a kernel
  it.is_copy,
  -- name of the kernel, where the profiler writes it beside the call (ROCm); else NULL
  it.kernel,
  -- a number for that name, alike in all traces; NULL likewise
  IIF(it.kernel IS NULL, NULL, HASH(it.kernel)) AS kernel_hash,
  -- the modules around it from the outermost on: ResNet_0 > Conv2d_1; NULL: none
  it.path,
  -- the innermost op around it; NULL: none
  it.op,
  -- number of the call of that op in its graph, from 0: one may launch several; NULL likewise
  it.op_call,
  -- the shapes of its inputs; NULL likewise, or where they are not recorded
  it.dims,
  -- id of the call's slice in this trace; in the UI (v55 and later) a link to it
  it.id,
  -- id of its track in this trace
  slice.track_id
FROM tpt_captured AS it
CROSS JOIN slice USING (id)
WHERE
  it.rank IS NULL OR tpt_set_rank!(it.rank)
ORDER BY it.rank, it.graph, it.node;
