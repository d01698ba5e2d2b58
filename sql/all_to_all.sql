-- All-to-alls across ranks: when they came, who came last, how uneven they were, their bandwidth.
--
-- Arrivals, waits and windows are those of `allreduce`. Where ranks send different amounts
-- (all_to_allv), size and bandwidths are those of the rank that sends most.
--
-- Grain: one row per all-to-all, over all its ranks.
-- Scope: job
-- Parts: tpt.collective.part, tpt.collective.context
-- Needs: kernel, launch_calls, op_marks, user_annotation, gpu_user_annotation, collective
-- Args: device, stream, correlation
-- Set: steps RANGE  only those launched in these steps by the rank that arrived last, by their
--   number in steps
-- Shown first: collective, ranks, straggler, skew_us, wait_us, transfer_us, bytes, busbw, step,
--   confidence
-- Kernel names: name
-- Paste: what `tp-tools sql all_to_all` prints runs in the Query tab of any Perfetto UI.

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
  -- bytes that a rank sends to all, the most of any rank; NULL without args, or where the size of
  -- the dtype is unknown
  bytes,
  in_imbalance,
  out_imbalance,
  dtype,
  algbw,
  -- algbw * (n - 1) / n with n ranks expected, GB/s; NULL where bytes or the size of the group is
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
  kind = 'all_to_all' AND tpt_set_steps!(step_number)
ORDER BY first_arrival, collective;
