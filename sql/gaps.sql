-- Idle gaps: when a device had nothing to do, and why, longest first.
--
-- A gap is a time between the first and the last work of a device in which no stream runs anything;
-- the gaps of a device add up to its idle_ns in gpu_time. Why it ended no earlier, asked of the
-- work that ended it, in this order:
--   dependency   its launch call had returned before the gap began, or its graph was already
--                running: it waited for other work, for an event, or for the GPU itself
--   end of step  launched too late for that, and in another step than the work before the gap
--   sync         launched too late, by a thread that was in a call that waits for the GPU when the
--                gap began: *Synchronize, or a copy whose call returned only after the copy
--   launch       launched too late for any other reason: the CPU was slow
-- A copy whose call returned only after the copy counts as launched when that call began.
--
-- Grain: one row per idle gap of a device.
-- Scope: rank
-- Needs: kernel, gpu_memcpy, gpu_memset, cuda_runtime, cuda_driver, xpu_runtime, user_annotation,
--   gpu_user_annotation
-- Shown first: rank, device, ts, dur, why, after
-- Kernel names: before, after
-- Paste: what `tp-tools sql gaps` prints runs in the Query tab of any Perfetto UI.

INCLUDE PERFETTO MODULE tpt.gap;

INCLUDE PERFETTO MODULE tpt.launched;

INCLUDE PERFETTO MODULE tpt.step;

SELECT
  -- rank; NULL in the trace of one rank
  after.rank,
  -- device
  after.device,
  -- when the last work before it ended, ns
  gap.ts,
  -- how long nothing ran, ns
  gap.ts_end - gap.ts AS dur,
  -- dependency, end of step, sync or launch: see above; NULL where the trace has no launch call of
  -- the work after it
  CASE
    WHEN after.launch_ts IS NULL THEN NULL
    WHEN after.launched_by <= gap.ts OR after.launch_key = before.launch_key THEN 'dependency'
    WHEN step_after.seq IS NOT step_before.seq THEN 'end of step'
    WHEN wait.name IS NOT NULL THEN 'sync'
    ELSE 'launch'
  END AS why,
  -- name of the work that ended when the gap began
  before.name AS before,
  -- name of the work that ended the gap
  after.name AS after,
  -- stream of the work before
  before.stream AS before_stream,
  -- stream of the work after
  after.stream AS after_stream,
  -- start of the call that launched the work after, ns; NULL where the trace has none
  after.launch_ts,
  -- name of that call; NULL likewise
  after.launch_name,
  -- call in which its thread waited for the GPU when the gap began; NULL: in none, or it was
  -- launched before
  IIF(after.launched_by > gap.ts, wait.name, NULL) AS waited_in,
  -- id of the slice of the work after it in this trace; in the UI (v55 and later) a link to it
  after.id,
  -- id of its track in this trace
  after.track_id
FROM tpt_gap AS gap
CROSS JOIN tpt_launched AS before ON before.id = gap.before_id
CROSS JOIN tpt_launched AS after ON after.id = gap.after_id
LEFT JOIN tpt_step_work AS step_before ON step_before.id = gap.before_id
LEFT JOIN tpt_step_work AS step_after ON step_after.id = gap.after_id
LEFT JOIN tpt_gap_wait AS wait USING (gap_id)
ORDER BY dur DESC, after.rank, after.device, gap.ts;
