-- Expert-parallel exchanges (DeepEP, TensorRT-LLM): who came last to each dispatch and combine.
--
-- Arrivals, waits and windows are those of `allreduce`. The kernels say no sizes, and engines may
-- use several for one exchange.
--
-- Grain: one row per kernel of a dispatch or combine, over all its ranks.
-- Scope: job
-- Parts: tpt.collective.part, tpt.collective.context
-- Needs: kernel, launch_calls, op_marks, user_annotation, gpu_user_annotation, collective
-- Args: device, stream, correlation
-- Set: steps RANGE  only those launched in these steps by the rank that arrived last, by their
--   number in steps
-- Shown first: collective, kind, ranks, straggler, skew_us, wait_us, transfer_us, step,
--   confidence
-- Kernel names: name
-- Paste: what `tp-tools sql dispatch_combine` prints runs in the Query tab of any Perfetto UI.

INCLUDE PERFETTO MODULE tpt.collective.window;

-- Columns without a comment are explained in `tpt_collective_window`.
SELECT
  collective,
  -- dispatch, combine
  kind,
  ranks,
  ranks_expected,
  confidence,
  straggler,
  skew_us,
  wait_us,
  transfer_us,
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
  kind IN ('dispatch', 'combine') AND tpt_set_steps!(step_number)
ORDER BY first_arrival, collective;
