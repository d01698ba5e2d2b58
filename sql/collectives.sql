-- Collectives of a rank: each kernel that communicates, with its process group and size.
--
-- What only args can tell is NULL where the kernel carries none: under CUDA graphs, in custom
-- all-reduces, in old traces.
--
-- Grain: one row per collective kernel on a rank.
-- Scope: rank
-- Needs: kernel
-- Paste: what `tp-tools sql collectives` prints runs in the Query tab of any Perfetto UI.

INCLUDE PERFETTO MODULE tpt.collective.args;

SELECT
  -- rank; NULL in the trace of one rank
  rank,
  -- device
  device,
  -- stream
  stream,
  -- its start, ns
  ts,
  -- its duration, ns
  dur,
  -- all_reduce, all_gather, reduce_scatter, all_to_all, broadcast, reduce, gather, scatter, send,
  -- recv, send_recv, barrier, dispatch, combine; unknown where its name does not say
  collective AS kind,
  -- args: the profiler says that it is a collective; name: only the kernel's name does
  recognised_by,
  -- name of its process group; NULL without args
  process_group,
  -- description of its process group; NULL without args
  process_group_desc,
  -- its number within the process group; NULL where the profiler does not give one
  seq,
  -- how many ranks take part; NULL without args
  group_size,
  -- which ranks, as the profiler writes it: past 30 it is cut; NULL without args
  ranks,
  -- bytes that the rank puts in; NULL without args, or where the size of the dtype is unknown
  in_bytes,
  -- bytes that the rank gets out; NULL like in_bytes
  out_bytes,
  -- PyTorch's name of the element type; NULL without args
  dtype,
  -- name of the kernel
  name,
  -- id of its slice in this trace; in the UI (v55 and later) a link to it
  id,
  -- id of its track in this trace
  track_id
FROM tpt_collective
ORDER BY ts, rank, device, stream;
