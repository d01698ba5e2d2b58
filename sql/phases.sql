-- Phases of inference: what each engine iteration did (prefill, decode), for how long, on the GPU.
--
-- An iteration is an annotation of vLLM (`execute_context_...`), SGLang (`step[...`) or
-- TensorRT-LLM (`_forward_step`); its name says the phase and the batch. Of annotations that lie
-- in each other the outermost counts that says a phase. GPU work belongs to the iteration that
-- launched it; work of none has rows without a name, by the reason, so that kernels, copies and
-- collectives add up to all of the rank. For each row
--   gpu_dur = compute_ns + exposed_communication_ns + exposed_copy_ns + idle_ns.
-- A kernel that starts before the one ahead of it on its stream ends (PDL) counts from that end.
-- Layers are told by kernels that repeat: a layer, or a group of layers that take turns, is what
-- fills at least half of the iteration and comes again at least four times, alike to 80 per cent.
--
-- Grain: one row per iteration and device that it used, one without device where it used none, and
--   per reason and device for which work is of no iteration.
-- Scope: rank
-- Needs: kernel, gpu_memcpy, gpu_memset, launch_calls, op_marks, user_annotation,
--   gpu_user_annotation
-- Set: rank RANGE  only these ranks
-- Set: steps RANGE  only iterations that began in these steps, by their number in steps, and work
--   of none that was launched in them (with tpt.step_of_iteration needing user_annotation)
-- Shown first: rank, phase, requests, prefill_tokens, dur, gpu_dur, exposed_communication_ns,
--   idle_ns, layers, layer_ns, reason
-- Paste: what `tp-tools sql phases` prints runs in the Query tab of any Perfetto UI.

INCLUDE PERFETTO MODULE tpt.gpu_slice;

INCLUDE PERFETTO MODULE tpt.iteration;

INCLUDE PERFETTO MODULE tpt.kernel_turn;

INCLUDE PERFETTO MODULE tpt.layer;

INCLUDE PERFETTO MODULE tpt.state;

WITH
  work AS MATERIALIZED (
    -- one number per iteration, and below 0 per rank and reason for work of none
    SELECT
      COALESCE(
        it.seq,
        -2 * (COALESCE(work.rank, -1) + 2) - (it.reason = 'outside iterations')
      ) AS seq,
      it.reason,
      work.rank,
      work.device,
      work.kind,
      work.ts AS first_ts,
      COALESCE(kernel.turn, work.ts) AS ts,
      work.ts_end
    FROM tpt_gpu_slice AS work
    CROSS JOIN tpt_iteration_work AS it USING (id)
    LEFT JOIN tpt_kernel_turn AS kernel USING (id)
    WHERE
      it.seq IS NOT NULL
      OR tpt_set_steps!((SELECT number FROM tpt_step_of_iteration_work WHERE id = work.id))
  ),
  grouped AS (
    SELECT seq AS owner, device, ts, ts_end, kind FROM work
  ),
  busy AS MATERIALIZED (
    SELECT
      owner AS seq,
      device,
      SUM(IIF(compute + collective + copy > 0, dur, 0)) AS busy_ns,
      SUM(IIF(compute > 0, dur, 0)) AS compute_ns,
      SUM(IIF(collective > 0, dur, 0)) AS communication_ns,
      SUM(IIF(collective > 0 AND compute = 0, dur, 0)) AS exposed_communication_ns,
      SUM(IIF(copy > 0 AND compute = 0 AND collective = 0, dur, 0)) AS exposed_copy_ns
    FROM tpt_states!((SELECT * FROM tpt_edges!(grouped)))
    GROUP BY owner, device
  ),
  total AS MATERIALIZED (
    SELECT
      seq,
      device,
      rank,
      reason,
      MIN(first_ts) AS gpu_ts,
      MAX(ts_end) - MIN(first_ts) AS gpu_dur,
      SUM(kind != 'copy') AS kernels,
      SUM(kind = 'collective') AS collectives,
      SUM(kind = 'copy') AS copies
    FROM work
    GROUP BY seq, device
  ),
  iteration AS (
    SELECT *, NULL AS reason
    FROM tpt_iteration
    WHERE
      tpt_set_steps!((SELECT number FROM tpt_step_of_iteration WHERE seq = tpt_iteration.seq))
    UNION ALL
    SELECT DISTINCT
      seq,
      NULL,
      NULL,
      NULL,
      NULL,
      NULL,
      rank,
      NULL,
      NULL,
      NULL,
      NULL,
      NULL,
      NULL,
      NULL,
      NULL,
      NULL,
      reason
    FROM total
    WHERE
      seq < 0
  )
SELECT
  -- rank; NULL in the trace of one rank
  iteration.rank,
  -- prefill (SGLang: EXTEND), decode, mixed (both), verify and draft (of speculative decoding),
  -- idle; NULL where the name does not say it, and for work of no iteration
  iteration.phase,
  -- name of the annotation; NULL: GPU work of no iteration
  iteration.name,
  -- requests in the batch; NULL where the name does not say it
  iteration.requests,
  -- of these, in prefill; NULL likewise
  iteration.prefill_requests,
  -- of these, in decode; NULL likewise
  iteration.decode_requests,
  -- tokens of the requests in prefill; NULL likewise
  iteration.prefill_tokens,
  -- tokens of the requests in decode; NULL likewise
  iteration.decode_tokens,
  -- start of the annotation on the CPU, ns; on the GPU where the CPU has none; NULL for work of no
  -- iteration
  iteration.ts,
  -- its duration there, ns; NULL likewise
  iteration.ts_end - iteration.ts AS dur,
  -- device; NULL where the iteration launched no work
  total.device,
  -- start of its first work on the device, ns; NULL without work
  total.gpu_ts,
  -- from there to the end of its last work, ns; NULL without work
  total.gpu_dur,
  -- of that, work of this iteration ran, ns; NULL without work
  busy.busy_ns,
  -- a kernel ran that is no collective, ns; NULL without work
  busy.compute_ns,
  -- a collective ran, ns; NULL without work
  busy.communication_ns,
  -- a collective ran and no compute, ns; NULL without work
  busy.exposed_communication_ns,
  -- a copy or memset ran, and neither compute nor collective, ns; NULL without work
  busy.exposed_copy_ns,
  -- no work of this iteration ran, ns; NULL without work
  total.gpu_dur - busy.busy_ns AS idle_ns,
  -- kernels that it launched, collectives among them
  COALESCE(total.kernels, 0) AS kernels,
  -- collectives that it launched
  COALESCE(total.collectives, 0) AS collectives,
  -- copies and memsets that it launched
  COALESCE(total.copies, 0) AS copies,
  -- how many layers repeat on the stream with most work; NULL where none do, and for work of no
  -- iteration
  layer.layers,
  -- kernels and copies of each; NULL likewise
  layer.layer_kernels,
  -- from the start of a layer to the start of the next, mean, ns; NULL likewise
  layer.layer_ns,
  -- why the work is of no iteration: launch not recorded, outside iterations (launched in none;
  -- where the rank has no launches, started in none); NULL for iterations
  iteration.reason,
  -- id of the annotation's slice in this trace; in the UI (v55 and later) a link to it
  iteration.id,
  -- id of its track in this trace
  iteration.track_id
FROM iteration
LEFT JOIN total USING (seq)
LEFT JOIN busy USING (seq, device)
LEFT JOIN tpt_layer AS layer USING (seq, device)
WHERE
  iteration.rank IS NULL OR tpt_set_rank!(iteration.rank)
ORDER BY iteration.rank, iteration.seq < 0, MAX(iteration.seq, 0), iteration.reason, total.device;
