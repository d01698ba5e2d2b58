-- Launch sequence: the GPU work of each step in the order in which it was launched.
--
-- Two recordings of one program launch the same work in the same order, so that kernels can be
-- matched by their place, also where a name changed. Work of one launch, such as that of a graph,
-- follows in the order of its starts; work without a recorded launch stands at its start.
--
-- Grain: one row per kernel, copy or memset.
-- Scope: rank
-- Needs: kernel, gpu_memcpy, gpu_memset, launch_calls, op_marks, user_annotation,
--   gpu_user_annotation
-- Set: rank RANGE  only these ranks
-- Set: steps RANGE  only work launched in these steps, by their number in steps
-- Shown first: rank, number, place, name, kind, dur, grid
-- Kernel names: name
-- Paste: what `tp-tools sql launch_sequence` prints runs in the Query tab of any Perfetto UI.

INCLUDE PERFETTO MODULE tpt.arg;

INCLUDE PERFETTO MODULE tpt.launched;

INCLUDE PERFETTO MODULE tpt.step;

WITH
  -- by numbers alone: names of kernels are long, and take time to copy
  placed AS MATERIALIZED (
    SELECT
      work.id,
      of_step.seq,
      ROW_NUMBER() OVER (
        PARTITION BY work.rank, work.upid, work.device, of_step.seq
        ORDER BY COALESCE(work.launch_ts, work.ts), work.launch_key, work.ts, work.stream, work.id
      ) - 1 AS place
    FROM tpt_launched AS work
    LEFT JOIN tpt_step_work AS of_step USING (id)
    WHERE
      (work.rank IS NULL OR tpt_set_rank!(work.rank)) AND tpt_set_steps!(of_step.number)
  )
SELECT
  -- rank; NULL in the trace of one rank
  work.rank,
  -- device
  work.device,
  -- number of the step on its rank, as in steps; NULL: of no step, or the rank has none
  step.number,
  -- start of the step, as in steps, ns; NULL likewise
  step.ts AS step_ts,
  -- its place in the sequence of its rank, device and step, from 0
  placed.place,
  -- name of the kernel, or the profiler's name of the copy
  work.name,
  -- compute, collective, or copy (a memset too)
  work.kind,
  -- stream
  work.stream,
  -- its start, ns
  work.ts,
  -- its duration, ns
  work.dur,
  -- blocks of its grid in x, y, z: 512 x 4 x 1; NULL where not recorded, and for copies
  IIF(work.kind = 'copy', NULL, tpt_shape!(slice.arg_set_id, 'grid')) AS grid,
  -- 1: a call that launches a graph launched it, else 0
  COALESCE(work.launch_name GLOB '*GraphLaunch*', 0) AS in_graph,
  -- id of its slice in this trace; in the UI (v55 and later) a link to it
  work.id,
  -- id of its track in this trace
  work.track_id
FROM placed
CROSS JOIN tpt_launched AS work USING (id)
CROSS JOIN slice USING (id)
LEFT JOIN tpt_step AS step USING (seq)
ORDER BY work.rank, step.seq, work.device, place;
