-- The code around host synchronisations.

INCLUDE PERFETTO MODULE tpt.code_around;

INCLUDE PERFETTO MODULE tpt.sync;

-- The op and the Python line around each host synchronisation. Those in neither have no row here.
CREATE PERFETTO TABLE tpt_sync_op(
  -- Id of the call's slice.
  id JOINID(slice.id),
  -- Name of the innermost op around it; NULL: in none.
  cpu_op STRING,
  -- File, line and function, as the profiler writes them: the innermost Python function around it
  -- that is no part of PyTorch, else the innermost; NULL without stacks.
  python_line STRING
) AS
SELECT id, cpu_op, python_line
FROM tpt_code_around!(tpt_sync, tpt_code_slice)
ORDER BY id;
