-- GPU time by line of Python: what each function launched, itself and with all that it called.
--
-- Functions are known where Python stacks are recorded (with_stack). Work belongs to the innermost
-- function around its launch call that is no part of PyTorch, else to the innermost one; work of
-- the backward pass to the function around its forward op, found by autograd's sequence number. All
-- other work has rows without a line, by the reason, so that self_gpu_ns adds up to all GPU work
-- (total_ns in kernels). GPU times are sums of durations.
--
-- Grain: one row per rank and Python function, and per rank and reason for which work is of none.
-- Scope: rank
-- Needs: kernel, gpu_memcpy, gpu_memset, launch_calls, cpu_op, python_function, user_annotation
-- Set: rank RANGE  only these ranks
-- Set: steps RANGE  only calls that began in these steps, by their number in steps, and work that
--   was launched in them (with tpt.step_of_line needing gpu_user_annotation)
-- Set: name TEXT = '*'  only functions whose lines match this pattern: * is any text, ? any
--   character
-- Shown first: rank, python_line, calls, gpu_ns, self_gpu_ns, backward_gpu_ns, reason, top_op
-- Paste: what `tp-tools sql python_lines` prints runs in the Query tab of any Perfetto UI.

INCLUDE PERFETTO MODULE tpt.op;

INCLUDE PERFETTO MODULE tpt.python_line;

INCLUDE PERFETTO MODULE tpt.python_name;

WITH
  work AS MATERIALIZED (
    SELECT *
    FROM tpt_line_of_work AS work
    WHERE
      tpt_set_steps!((SELECT number FROM tpt_step_of_line_work WHERE id = work.id))
  ),
  -- functions that are no part of PyTorch, and those that work belongs to
  shown AS MATERIALIZED (
    SELECT name
    FROM tpt_python_call
    WHERE
      NOT tpt_is_of_torch!(name)
    UNION
    SELECT python_line FROM work WHERE python_line IS NOT NULL
  ),
  -- a call within another one of its function adds nothing
  call AS MATERIALIZED (
    SELECT
      call.id,
      call.rank,
      call.name,
      call.ts,
      call.ts_end,
      call.upid,
      call.track_key,
      tpt_set_steps!((SELECT number FROM tpt_step_of_line WHERE id = call.id)) AS in_steps,
      call.ts < COALESCE(
        MAX(call.ts_end) OVER (
          PARTITION BY call.upid, call.track_key, call.name
          ORDER BY call.ts, call.ts_end DESC, call.id
          ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ),
        call.ts
      ) AS is_nested
    FROM tpt_python_call AS call
    CROSS JOIN shown USING (name)
  ),
  -- starts and ends of calls, and pieces of work, which count from where they come from
  point AS (
    SELECT upid, track_key, ts AS at, 0 AS is_work, id, -1 AS sign, 0 AS dur, 0 AS backward_dur
    FROM call
    WHERE
      NOT is_nested
    UNION ALL
    SELECT upid, track_key, ts_end, 0, id, 1, 0, 0 FROM call WHERE NOT is_nested
    UNION ALL
    SELECT upid, track_key, ts, 1, NULL, NULL, dur, IIF(is_backward, dur, 0)
    FROM work
    WHERE
      ts IS NOT NULL
  ),
  summed AS (
    SELECT
      id,
      sign,
      SUM(is_work) OVER so_far AS events,
      SUM(dur) OVER so_far AS gpu_ns,
      SUM(backward_dur) OVER so_far AS backward_gpu_ns
    FROM point
    WINDOW so_far AS (
      PARTITION BY upid, track_key ORDER BY at, is_work ROWS UNBOUNDED PRECEDING
    )
  ),
  of_call AS MATERIALIZED (
    SELECT
      id,
      SUM(sign * events) AS events,
      SUM(sign * gpu_ns) AS gpu_ns,
      SUM(sign * backward_gpu_ns) AS backward_gpu_ns
    FROM summed
    WHERE
      id IS NOT NULL
    GROUP BY id
  ),
  total AS MATERIALIZED (
    SELECT
      call.rank,
      call.name,
      SUM(call.in_steps IS 1) AS calls,
      COALESCE(SUM(of_call.events), 0) AS events,
      COALESCE(SUM(of_call.gpu_ns), 0) AS gpu_ns,
      COALESCE(SUM(of_call.backward_gpu_ns), 0) AS backward_gpu_ns
    FROM call
    LEFT JOIN of_call USING (id)
    GROUP BY call.rank, call.name
  ),
  launched AS MATERIALIZED (
    SELECT
      rank,
      python_line,
      reason,
      COUNT(*) AS events,
      SUM(dur) AS gpu_ns,
      SUM(IIF(is_backward, dur, 0)) AS backward_gpu_ns
    FROM work
    GROUP BY rank, python_line, reason
  ),
  by_op AS (
    SELECT
      work.rank,
      work.python_line,
      work.reason,
      op.name,
      ROW_NUMBER() OVER (
        PARTITION BY work.rank, work.python_line, work.reason
        ORDER BY SUM(work.dur) DESC, op.name
      ) AS place
    FROM work
    CROSS JOIN tpt_op_of_work AS of_work USING (id)
    CROSS JOIN tpt_op AS op USING (seq)
    GROUP BY work.rank, work.python_line, work.reason, op.name
  ),
  top_op AS MATERIALIZED (
    SELECT rank, python_line, reason, name FROM by_op WHERE place = 1
  ),
  answer AS (
    SELECT
      total.rank,
      total.name AS python_line,
      total.calls,
      total.events AS gpu_events,
      total.gpu_ns,
      COALESCE(launched.gpu_ns, 0) AS self_gpu_ns,
      total.backward_gpu_ns,
      NULL AS reason
    FROM total
    LEFT JOIN launched ON launched.python_line = total.name AND launched.rank IS total.rank
    WHERE
      total.events > 0 OR launched.events > 0
    UNION ALL
    SELECT rank, NULL, 0, events, gpu_ns, gpu_ns, backward_gpu_ns, reason
    FROM launched
    WHERE
      python_line IS NULL
  )
SELECT
  -- rank; NULL in the trace of one rank
  answer.rank,
  -- the function, as file(line): name; the line is that of its `def`; NULL: GPU work of no line
  answer.python_line,
  -- how often it was called; 0 for work of no line
  answer.calls,
  -- kernels, copies and memsets launched in it or in what it called
  answer.gpu_events,
  -- their durations, summed, ns
  answer.gpu_ns,
  -- of that, launched in no other function that is no part of PyTorch, ns; adds up to all GPU work
  -- of the rank
  answer.self_gpu_ns,
  -- of gpu_ns, launched by the backward pass, ns
  answer.backward_gpu_ns,
  -- the op with the most of self_gpu_ns; NULL where no op is known
  top_op.name AS top_op,
  -- why the work is of no line: no Python lines recorded, launch not recorded, forward not recorded
  -- (work of the backward pass whose forward op is not in the trace), outside Python (a thread
  -- without Python); NULL for lines
  answer.reason
FROM answer
LEFT JOIN top_op
  ON top_op.python_line IS answer.python_line
  AND top_op.rank IS answer.rank
  AND top_op.reason IS answer.reason
WHERE
  (answer.rank IS NULL OR tpt_set_rank!(answer.rank))
  AND COALESCE(answer.python_line, '') GLOB tpt_set_name!()
ORDER BY answer.rank, answer.gpu_ns DESC, answer.python_line, answer.reason;
