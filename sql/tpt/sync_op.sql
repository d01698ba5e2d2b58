-- The code around host synchronisations.

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
WITH RECURSIVE
  -- from the call to those around it, until both are found
  around(sync_id, id, cpu_op, torch_line, own_line) AS (
    SELECT sync.id, slice.parent_id, NULL, NULL, NULL
    FROM tpt_sync AS sync
    CROSS JOIN slice USING (id)
    UNION ALL
    SELECT
      around.sync_id,
      slice.parent_id,
      COALESCE(around.cpu_op, IIF(slice.category IN ('cpu_op', 'Operator'), slice.name, NULL)),
      COALESCE(
        around.torch_line,
        IIF(
          slice.category = 'python_function' AND slice.name GLOB '*([0-9]*): *', slice.name, NULL
        )
      ),
      COALESCE(
        around.own_line,
        IIF(
          slice.category = 'python_function'
          AND slice.name GLOB '*([0-9]*): *'
          AND NOT slice.name GLOB 'torch/*'
          AND NOT slice.name GLOB '*/torch/*',
          slice.name,
          NULL
        )
      )
    FROM around
    CROSS JOIN slice ON slice.id = around.id
    WHERE
      around.cpu_op IS NULL OR around.own_line IS NULL
  )
SELECT
  sync_id AS id,
  MAX(cpu_op) AS cpu_op,
  COALESCE(MAX(own_line), MAX(torch_line)) AS python_line
FROM around
GROUP BY sync_id
HAVING
  MAX(cpu_op) IS NOT NULL OR MAX(torch_line) IS NOT NULL
ORDER BY sync_id;
