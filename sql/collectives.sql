-- Collectives of a rank: each kernel that communicates, with its process group and size.
--
-- Where a kernel carries no args, the annotation in which it was launched says which collective it
-- is, as nccl:all_to_all does of a SendRecv kernel. What only args can tell is NULL where neither
-- carries any: under CUDA graphs, in custom all-reduces, in old traces.
--
-- Grain: one row per collective kernel on a rank.
-- Scope: rank
-- Needs: kernel, launch_calls, op_marks, user_annotation, gpu_user_annotation
-- Set: rank RANGE  only these ranks
-- Set: steps RANGE  only work launched in these steps, by their number in steps
-- Paste: what `tp-tools sql collectives` prints runs in the Query tab of any Perfetto UI.

INCLUDE PERFETTO MODULE tpt.step;

INCLUDE PERFETTO MODULE tpt.collective.args;

SELECT
  -- rank; NULL in the trace of one rank
  it.rank,
  -- device
  it.device,
  -- stream
  it.stream,
  -- its start, ns
  it.ts,
  -- its duration, ns
  it.dur,
  -- all_reduce, all_gather, reduce_scatter, all_to_all, broadcast, reduce, gather, scatter, send,
  -- recv, send_recv, barrier, dispatch, combine; unknown where its name does not say
  it.collective AS kind,
  -- args: the profiler says which collective it is; annotation: the one around its launch does;
  -- name: only the kernel's name does
  it.recognised_by,
  -- name of its process group; NULL without args
  it.process_group,
  -- description of its process group; NULL without args
  it.process_group_desc,
  -- its number within the process group; NULL where the profiler does not give one
  it.seq,
  -- how many ranks take part; NULL without args
  it.group_size,
  -- which ranks, as the profiler writes it: past 30 it is cut; NULL without args
  it.ranks,
  -- bytes that the rank puts in; NULL without args, or where the size of the dtype is unknown
  it.in_bytes,
  -- bytes that the rank gets out; NULL like in_bytes
  it.out_bytes,
  -- PyTorch's name of the element type; NULL without args
  it.dtype,
  -- name of the step that launched it, as in steps; NULL outside of steps
  step.name AS step,
  -- name of the kernel
  it.name,
  -- id of its slice in this trace; in the UI (v55 and later) a link to it
  it.id,
  -- id of its track in this trace
  it.track_id
FROM tpt_collective AS it
LEFT JOIN tpt_step_work AS work ON work.id = it.id
LEFT JOIN tpt_step AS step ON step.seq = work.seq
WHERE
  (it.rank IS NULL OR tpt_set_rank!(it.rank)) AND tpt_set_steps!(work.number)
ORDER BY it.ts, it.rank, it.device, it.stream;
