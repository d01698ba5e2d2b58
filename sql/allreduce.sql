-- All-reduces across ranks: when they came, who came last, what the wire did once all were there.
--
-- A rank arrives when its kernel starts, or, where that may be a PDL start, when the kernel ahead
-- of it on its stream ends. It waits until the last one arrives; the transfer is what comes then.
-- Where ranks are missing from the trace, the transfer may be waiting for them.
--
-- Grain: one row per all-reduce, over all its ranks.
-- Scope: job
-- Parts: tpt.collective.part, tpt.collective.context
-- Needs: kernel, launch_calls, op_marks, user_annotation, gpu_user_annotation, collective
-- Args: device, stream, correlation
-- Set: steps RANGE  only those launched in these steps by the rank that arrived last, by their
--   number in steps
-- Shown first: collective, ranks, straggler, skew_us, wait_us, transfer_us, bytes, busbw, step,
--   confidence
-- Kernel names: name
-- Paste: what `tp-tools sql allreduce` prints runs in the Query tab of any Perfetto UI.

INCLUDE PERFETTO MODULE tpt.collective.window;

-- Columns without a comment are explained in `tpt_collective_window`.
SELECT
  collective,
  process_group,
  process_group_desc,
  seq,
  ranks,
  ranks_expected,
  confidence,
  straggler,
  skew_us,
  wait_us,
  transfer_us,
  -- bytes that each rank reduces; NULL without args, or where the size of the dtype is unknown
  bytes,
  dtype,
  algbw,
  -- algbw * 2 (n - 1) / n with n ranks expected, GB/s; NULL where bytes or the size of the group is
  busbw,
  hidden_compute_us,
  matched_by,
  pdl_starts,
  step,
  first_arrival,
  last_arrival,
  window_end,
  kind,
  name,
  slice_id,
  track_id
FROM tpt_collective_window
WHERE
  kind = 'all_reduce' AND tpt_set_steps!(step_number)
ORDER BY first_arrival, collective;
