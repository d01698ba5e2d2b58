-- Collectives rank by rank: when each arrived, how long it waited for the last, when it left.
--
-- A rank arrives when its kernel starts. A kernel that starts before the one ahead of it on its
-- stream ends (PDL, programmatic dependent launch) may still be waiting for that one: then it
-- arrives when the kernel ahead ends, and is_pdl_start says so.
--
-- Grain: one row per collective and rank.
-- Scope: job
-- Parts: tpt.collective.part, tpt.collective.context
-- Needs: kernel, launch_calls, op_marks, user_annotation, gpu_user_annotation, collective
-- Args: device, stream, correlation
-- Set: rank RANGE  only these ranks
-- Set: steps RANGE  only work launched in these steps, by their number in steps
-- Set: kind TEXT = '*'  only this kind of collective
-- Shown first: rank, collective, kind, is_straggler, wait_us, transfer_us
-- Paste: what `tp-tools sql collectives_by_rank` prints runs in the Query tab of any Perfetto UI.

INCLUDE PERFETTO MODULE tpt.collective.window;

SELECT
  -- number of the collective in this trace, over all kinds
  whole.collective,
  -- all_reduce, all_gather, reduce_scatter, all_to_all, broadcast, reduce, gather, scatter, send,
  -- recv, send_recv, barrier, dispatch, combine; unknown where its name does not say
  part.kind,
  -- its number within the process group; NULL where the profiler does not give one
  part.seq,
  -- name of its process group; NULL without args
  part.process_group,
  -- how its parts were found: comms_id, seq, order, time; NULL where this is the only one
  part.matched_by,
  -- certain; tested: by order or time, and all ranks were in it at one moment; uncertain; alone
  part.confidence,
  -- rank; NULL in the trace of one rank
  part.rank,
  -- device; NULL on the CPU
  part.device,
  -- stream; on the CPU the thread
  part.stream,
  -- start of the kernel, ns
  part.ts,
  -- 1 where that may be a PDL start, else 0
  part.is_pdl_start,
  -- its arrival, ns: its start, or the end of the kernel ahead where that may be a PDL start
  part.arrival,
  -- last arrival of a rank - its own, us
  part.wait_ns / 1e3 AS wait_us,
  -- 1 for each rank that arrived last, later than another; else 0
  part.is_last AS is_straggler,
  -- its end, ns
  part.ts_end,
  -- from the last arrival of a rank to its own end, us
  (part.ts_end - whole.last_arrival) / 1e3 AS transfer_us,
  -- bytes that the rank puts in; NULL without args, or where the size of the dtype is unknown
  part.in_bytes,
  -- bytes that the rank gets out; NULL like in_bytes
  part.out_bytes,
  -- compute on its device from arrival to end, us; NULL on the CPU
  part.compute_ns / 1e3 AS hidden_compute_us,
  -- name of the step that launched it, as in steps; NULL outside of steps
  part.step,
  -- name of the kernel
  part.name,
  -- id of its slice in this trace; in the UI it makes the row a link
  part.id AS slice_id,
  -- id of its track in this trace
  part.track_id
FROM tpt_collective_rank AS part
JOIN tpt_collective_window AS whole USING (match_id)
WHERE
  (part.rank IS NULL OR tpt_set_rank!(part.rank))
  AND tpt_set_steps!(part.step_number)
  AND part.kind GLOB tpt_set_kind!()
ORDER BY whole.first_arrival, whole.collective, part.rank, part.ts, part.id;
