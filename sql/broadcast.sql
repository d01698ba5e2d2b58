-- Broadcasts and reductions to one rank: when ranks came, who came last, what the wire did then.
--
-- Arrivals, waits and windows are those of `allreduce`. The rank that sends may leave before the
-- last one comes, so that waits are upper bounds here.
--
-- Grain: one row per broadcast or reduction, over all its ranks.
-- Scope: job
-- Parts: tpt.collective.part, tpt.collective.context
-- Needs: kernel, launch_calls, op_marks, user_annotation, gpu_user_annotation, collective
-- Args: device, stream, correlation
-- Set: steps RANGE  only those launched in these steps by the rank that arrived last, by their
--   number in steps
-- Shown first: collective, ranks, straggler, skew_us, wait_us, transfer_us, bytes, busbw, step,
--   confidence
-- Kernel names: name
-- Paste: what `tp-tools sql broadcast` prints runs in the Query tab of any Perfetto UI.

INCLUDE PERFETTO MODULE tpt.collective.window;

-- Columns without a comment are explained in `tpt_collective_window`.
SELECT
  collective,
  -- broadcast, reduce
  kind,
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
  -- bytes that go to each rank, or that each rank reduces; NULL without args, or where the size of
  -- the dtype is unknown
  bytes,
  dtype,
  algbw,
  -- the same as algbw: all goes through one rank; NULL likewise
  busbw,
  hidden_compute_us,
  matched_by,
  pdl_starts,
  step,
  first_arrival,
  last_arrival,
  window_end,
  name,
  slice_id,
  track_id
FROM tpt_collective_window
WHERE
  kind IN ('broadcast', 'reduce') AND tpt_set_steps!(step_number)
ORDER BY first_arrival, collective;
