-- Options of the profiler that slow the CPU.

INCLUDE PERFETTO MODULE tpt.arg;

INCLUDE PERFETTO MODULE tpt.process_rank;

INCLUDE PERFETTO MODULE tpt.track;

-- The options of the profiler that cost CPU time with every op or call of a rank, recognised by the
-- events and args that they add to the trace. Ranks without such options have no row.
CREATE PERFETTO TABLE tpt_profiler_option(
  -- The rank; NULL in the trace of one rank.
  rank LONG,
  -- with_stack (it has Python functions), record_shapes (its ops have the types of their inputs),
  -- profile_memory (it has allocations); several are separated by commas.
  options STRING
) AS
WITH
  sign AS (
    SELECT DISTINCT
      s.track_id,
      CASE
        WHEN s.category = 'python_function' THEN 'with_stack'
        WHEN s.name = '[memory]' THEN 'profile_memory'
        WHEN tpt_arg!(s.arg_set_id, 'Input type[0]') IS NOT NULL THEN 'record_shapes'
      END AS option
    FROM slice AS s
    WHERE
      s.category IN ('python_function', 'cpu_op', 'cpu_instant_event')
  ),
  told AS (
    SELECT DISTINCT tpt_process_rank.rank, sign.option
    FROM sign
    CROSS JOIN tpt_track USING (track_id)
    LEFT JOIN tpt_process_rank USING (upid)
    WHERE
      sign.option IS NOT NULL
  )
SELECT rank, STRING_AGG(option, ', ' ORDER BY option DESC) AS options
FROM told
GROUP BY rank
ORDER BY rank;
