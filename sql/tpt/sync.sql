-- Host synchronisations: calls in which a CPU thread waits for the GPU.

INCLUDE PERFETTO MODULE tpt.busy_in;

INCLUDE PERFETTO MODULE tpt.gpu_slice;

INCLUDE PERFETTO MODULE tpt.launch;

INCLUDE PERFETTO MODULE tpt.launched;

INCLUDE PERFETTO MODULE tpt.sync_call;

-- The calls that wait by their name, or launched a copy and returned only after it.
CREATE PERFETTO TABLE _tpt_sync_call AS
SELECT id, ts, ts_end, name, rank
FROM tpt_call
WHERE
  tpt_is_sync_call!(name)
  OR launch_key IN (SELECT launch_key FROM tpt_launched WHERE is_blocking)
ORDER BY id;

-- Each host synchronisation. A call within another one is part of that one.
CREATE PERFETTO TABLE tpt_sync(
  -- Id of the call's slice.
  id JOINID(slice.id),
  -- Its start, ns.
  ts TIMESTAMP,
  -- Its end as recorded, ns.
  ts_end TIMESTAMP,
  -- Its name.
  name STRING,
  -- Its rank; NULL in the trace of one rank.
  rank LONG,
  -- Of its time, while some GPU of the rank ran anything, ns.
  busy_ns DURATION
) AS
WITH
  outermost AS MATERIALIZED (
    SELECT it.*
    FROM _tpt_sync_call AS it
    CROSS JOIN slice USING (id)
    LEFT JOIN _tpt_sync_call AS outer ON outer.id = slice.parent_id
    WHERE
      outer.id IS NULL
  ),
  work AS (
    SELECT COALESCE(rank, -1) AS key, ts, ts_end FROM tpt_gpu_slice
  ),
  asked AS (
    SELECT id, COALESCE(rank, -1) AS key, ts, ts_end FROM outermost
  )
SELECT outermost.*, busy.busy_ns
FROM outermost
CROSS JOIN tpt_busy_in!(work, asked) AS busy USING (id)
ORDER BY outermost.id;

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
