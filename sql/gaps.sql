-- Idle gaps: when a device had nothing to do, and why, longest first.
--
-- A gap is a time between the first and the last work of a device in which no stream runs anything;
-- the gaps of a device add up to its idle_ns in gpu_time. Its parts, which add up to it, say what
-- kept the work that ended it:
--   dependency   its launch call had returned before the gap began, or its graph was already
--                running: it waited for other work, for an event, or for the GPU itself
--   sync         the thread that launched it was in a call that held it: *Synchronize, a copy whose
--                call returned only after the copy, memory taken or given back, code that is
--                loaded (wait_ns)
--   cpu          that thread did something else (cpu_ns)
--   launch       it was in the launch call (launch_call_ns)
--   front end    the call had returned, and nothing ran: the GPU itself, or another device
-- A copy whose call returned only after the copy counts as launched when that call began, if that
-- was before the gap.
--
-- Grain: one row per idle gap of a device.
-- Scope: rank
-- Needs: kernel, gpu_memcpy, gpu_memset, launch_calls, cpu_op, python_function, user_annotation,
--   gpu_user_annotation
-- Set: rank RANGE  only these ranks
-- Set: steps RANGE  only gaps ended by work launched in these steps, by their number in steps
-- Set: min_us FLOAT = 0  only gaps of at least so many us
-- Shown first: rank, device, ts, dur, why, after
-- Kernel names: before, after
-- Paste: what `tp-tools sql gaps` prints runs in the Query tab of any Perfetto UI.

INCLUDE PERFETTO MODULE tpt.gap;

INCLUDE PERFETTO MODULE tpt.gap_op;

INCLUDE PERFETTO MODULE tpt.gap_part;

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
  -- the largest part: dependency, sync, cpu, launch or front end, see above; NULL where the trace
  -- has no launch call of the work after it
  part.why,
  -- the thread that launched the work after was in a call that held it, ns
  part.wait_ns,
  -- the call that took most of that; NULL where there is none
  part.waited_in,
  -- before the launch call that thread did something else, ns
  part.cpu_ns,
  -- innermost op that ran for at least half of that, or of its longest stretch; NULL: in none
  op.cpu_op,
  -- innermost Python function that ran for at least half of it, as file(line): name; NULL without
  -- stacks
  op.python_line,
  -- it was in the launch call, ns
  part.launch_call_ns,
  -- the work had been launched before the gap began, ns
  part.dependency_ns,
  -- from the return of a launch call that came too late to the start of the work, ns
  part.front_end_ns,
  -- the trace has no launch call of the work, ns
  part.unknown_ns,
  -- 1: the work before and after was not launched in the same step, be it in none; else 0
  step_after.seq IS NOT step_before.seq AS at_step_boundary,
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
  -- id of the slice of the work after it in this trace; in the UI (v55 and later) a link to it
  after.id,
  -- id of its track in this trace
  after.track_id
FROM tpt_gap AS gap
CROSS JOIN tpt_launched AS before ON before.id = gap.before_id
CROSS JOIN tpt_launched AS after ON after.id = gap.after_id
LEFT JOIN tpt_gap_part AS part USING (gap_id)
LEFT JOIN tpt_gap_op AS op USING (gap_id)
LEFT JOIN tpt_step_work AS step_before ON step_before.id = gap.before_id
LEFT JOIN tpt_step_work AS step_after ON step_after.id = gap.after_id
WHERE
  (after.rank IS NULL OR tpt_set_rank!(after.rank))
  AND tpt_set_steps!(step_after.number)
  AND gap.ts_end - gap.ts >= 1000 * tpt_set_min_us!()
ORDER BY dur DESC, after.rank, after.device, gap.ts;
