-- Messages from rank to rank: when both ends came, who came last, and what the wire did then.
--
-- A send and its receive are matched by their two ranks and order among these. Arrivals, waits and
-- windows are those of `allreduce`. Kernels of NCCL without args may be messages or all-to-alls:
-- they are in `collectives_by_rank` alone, as send_recv.
--
-- Grain: one row per message.
-- Scope: job
-- Parts: tpt.collective.part, tpt.collective.context
-- Needs: kernel, launch_calls, op_marks, user_annotation, gpu_user_annotation, collective
-- Args: device, stream, correlation
-- Set: steps RANGE  only those launched in these steps by the rank that arrived last, by their
--   number in steps
-- Shown first: collective, src_rank, dst_rank, straggler, skew_us, wait_us, transfer_us, bytes,
--   busbw
-- Kernel names: name
-- Paste: what `tp-tools sql send_recv` prints runs in the Query tab of any Perfetto UI.

INCLUDE PERFETTO MODULE tpt.collective.window;

-- Columns without a comment are explained in `tpt_collective_window`.
SELECT
  collective,
  process_group,
  process_group_desc,
  seq,
  -- the rank that sends; NULL where only the receive is in the trace and does not say it
  src_rank,
  -- the rank that receives; NULL where only the send is in the trace and does not say it
  dst_rank,
  -- ends that the trace holds, 1 or 2
  ranks,
  -- 2
  ranks_expected,
  -- tested: both ranks were in it at one moment; uncertain; alone: with one end
  confidence,
  straggler,
  skew_us,
  wait_us,
  transfer_us,
  -- bytes of the message; NULL without args, or where the size of the dtype is unknown
  bytes,
  dtype,
  algbw,
  -- the same as algbw; NULL likewise
  busbw,
  hidden_compute_us,
  -- order: by order among messages of that size from the one rank to the other; time: by what ran
  -- at the same moment; NULL where the trace holds one end only
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
  kind = 'send_recv'
  AND (src_rank IS NOT NULL OR dst_rank IS NOT NULL)
  AND tpt_set_steps!(step_number)
ORDER BY first_arrival, collective;
