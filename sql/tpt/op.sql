-- CPU ops: which lies in which, and the GPU work that each launched.

INCLUDE PERFETTO MODULE tpt.arg;

INCLUDE PERFETTO MODULE tpt.process_rank;

INCLUDE PERFETTO MODULE tpt.row;

INCLUDE PERFETTO MODULE tpt.gpu_slice;

INCLUDE PERFETTO MODULE tpt.launch;

-- GPU work by the call that launched it.
CREATE PERFETTO TABLE _tpt_work_of_launch AS
SELECT
  launch_key,
  COUNT(*) AS events,
  SUM(dur) AS gpu_ns
FROM tpt_gpu_slice
WHERE
  launch_key IS NOT NULL
GROUP BY launch_key
ORDER BY launch_key;

-- Ops, and the calls that launched work as ops that take no time.
CREATE PERFETTO TABLE _tpt_op_or_launch AS
SELECT
  tpt_process_rank.rank,
  tpt_row.upid,
  tpt_row_id!(tpt_row.tid, tpt_row.row_id, s.arg_set_id) AS row_id,
  s.ts,
  tpt_recorded_dur!(s.arg_set_id, s.dur) AS dur,
  s.name,
  tpt_int_arg!(s.arg_set_id, 'External id') AS external_id,
  NULL AS launch_key
FROM slice AS s
CROSS JOIN tpt_row USING (track_id)
LEFT JOIN tpt_process_rank USING (upid)
WHERE
  s.category IN ('cpu_op', 'Operator') AND s.dur >= 0
UNION ALL
SELECT rank, upid, row_id, ts, 0, NULL, NULL, launch_key
FROM tpt_launch
CROSS JOIN _tpt_work_of_launch USING (launch_key);

-- Ops and launch calls, thread after thread on one time axis; `seq` is the order of their starts.
CREATE PERFETTO TABLE tpt_op(
  -- Number in the order of starts.
  seq LONG,
  -- Its start on that axis, ns.
  start TIMESTAMP,
  -- Its end on that axis, ns.
  stop TIMESTAMP,
  -- Its rank; NULL in the trace of one rank.
  rank LONG,
  -- Its recorded duration, ns; 0 for calls.
  dur DURATION,
  -- Its name; NULL for calls.
  name STRING,
  -- Its External id; NULL for calls, and where the profiler gives none.
  external_id LONG,
  -- The launch, where it is a call, see `tpt_launch`; NULL for ops.
  launch_key LONG
) AS
WITH
  axis AS MATERIALIZED (
    SELECT
      MIN(ts) AS first,
      -- further apart than what counts as within
      MAX(ts + dur) - MIN(ts) + 10000 AS length
    FROM _tpt_op_or_launch
  ),
  thread_row AS MATERIALIZED (
    SELECT upid, row_id, ROW_NUMBER() OVER (ORDER BY upid, row_id) AS number
    FROM (SELECT DISTINCT upid, row_id FROM _tpt_op_or_launch)
  ),
  placed AS (
    SELECT
      op.rank,
      op.dur,
      op.name,
      op.external_id,
      op.launch_key,
      op.ts - axis.first + thread_row.number * axis.length AS start
    FROM _tpt_op_or_launch AS op
    CROSS JOIN thread_row USING (upid, row_id)
    CROSS JOIN axis
  )
SELECT
  ROW_NUMBER() OVER (ORDER BY start, dur DESC, name) AS seq,
  start,
  start + dur AS stop,
  rank,
  dur,
  name,
  external_id,
  launch_key
FROM placed;

-- The op that each lies in, 0 for none. One pass over all in their order: `top` is the innermost op
-- that may still be open, `below` those around it, with their ends. Where the next one does not lie
-- in it, the top is taken off, else the next becomes the top.
CREATE PERFETTO TABLE tpt_op_parent(
  -- The op or call, as in `tpt_op`.
  seq LONG,
  -- The op that it lies in; 0: in none.
  parent LONG,
  -- Its start, ns.
  start TIMESTAMP,
  -- Its end, or the end of the op that it lies in where that is sooner, ns.
  stop TIMESTAMP
) AS
WITH RECURSIVE
  op AS MATERIALIZED (
    SELECT seq, start, stop FROM tpt_op
  ),
  -- how much an op may outlast the one that it lies in, ns
  answer(lies_in, tolerance_ns) AS (
    VALUES (0, 1000), (1, 1000)
  ),
  walk(next, start, parent, parent_stop, top, top_stop, below) AS (
    SELECT 1, NULL, NULL, NULL, 0, 1 << 62, ''
    UNION ALL
    SELECT
      next + lies_in,
      op.start,
      IIF(lies_in, top, NULL),
      top_stop,
      IIF(lies_in, op.seq, CAST(SUBSTR(below, -32, 12) AS INT)),
      IIF(lies_in, op.stop, CAST(SUBSTR(below, -20) AS INT)),
      IIF(
        lies_in,
        below || PRINTF('%012d%020d', top, top_stop),
        SUBSTR(below, 1, LENGTH(below) - 32)
      )
    FROM walk
    CROSS JOIN op ON op.seq = walk.next
    CROSS JOIN answer ON answer.lies_in = (
      top_stop > op.start
      AND op.stop
      <= top_stop + IIF(top_stop - op.start > answer.tolerance_ns, answer.tolerance_ns, 0)
    )
  )
SELECT next - 1 AS seq, parent, start, MIN(top_stop, parent_stop) AS stop
FROM walk
WHERE
  parent IS NOT NULL;

-- Ops that launched work themselves, with that work.
CREATE PERFETTO TABLE tpt_op_work(
  -- The op, as in `tpt_op`.
  seq LONG,
  -- Kernels, copies and memsets that it launched.
  events LONG,
  -- Their durations, summed, ns.
  gpu_ns DURATION
) AS
WITH
  launched AS (
    SELECT op.launch_key, parent.parent AS seq
    FROM tpt_op_parent AS parent
    CROSS JOIN tpt_op AS op USING (seq)
    WHERE
      op.launch_key IS NOT NULL AND parent.parent > 0
  ),
  in_op AS (
    SELECT launched.seq, work.events, work.gpu_ns
    FROM launched
    CROSS JOIN _tpt_work_of_launch AS work USING (launch_key)
  ),
  elsewhere AS (
    SELECT
      work.rank,
      work.dur,
      tpt_int_arg!(slice.arg_set_id, 'External id') AS external_id
    FROM tpt_gpu_slice AS work
    CROSS JOIN slice USING (id)
    WHERE
      work.launch_key IS NULL OR work.launch_key NOT IN (SELECT launch_key FROM launched)
  ),
  op_of_id AS MATERIALIZED (
    SELECT COALESCE(rank, -1) AS rank, external_id, MAX(seq) AS seq
    FROM tpt_op
    WHERE
      external_id IS NOT NULL
    GROUP BY 1, 2
  ),
  by_id AS (
    SELECT op_of_id.seq, 1 AS events, elsewhere.dur AS gpu_ns
    FROM elsewhere
    CROSS JOIN op_of_id
      ON op_of_id.external_id = elsewhere.external_id
      AND op_of_id.rank = COALESCE(elsewhere.rank, -1)
  )
SELECT seq, SUM(events) AS events, SUM(gpu_ns) AS gpu_ns
FROM (SELECT * FROM in_op UNION ALL SELECT * FROM by_id)
GROUP BY seq
ORDER BY seq;

-- Each op with the time that it spends in no other op, and whether it runs within one of its name.
CREATE PERFETTO TABLE tpt_op_time(
  -- The op, as in `tpt_op`.
  seq LONG,
  -- Its rank; NULL in the trace of one rank.
  rank LONG,
  -- Its name.
  name STRING,
  -- Its recorded duration, ns.
  dur DURATION,
  -- Of that, time in no op that it called, ns.
  self_ns DURATION,
  -- 1: it runs within an op of the same name, else 0.
  is_recursive BOOL
) AS
WITH
  child AS (
    SELECT
      parent AS seq,
      start,
      stop,
      MAX(stop) OVER (
        PARTITION BY parent ORDER BY seq ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
      ) AS covered_until
    FROM tpt_op_parent
    WHERE
      parent > 0
  ),
  covered AS MATERIALIZED (
    SELECT seq, SUM(MAX(0, stop - MAX(start, COALESCE(covered_until, start)))) AS covered_ns
    FROM child
    GROUP BY seq
  )
SELECT
  op.seq,
  op.rank,
  op.name,
  op.dur,
  op.dur - COALESCE(covered.covered_ns, 0) AS self_ns,
  COALESCE(
    MAX(op.stop) OVER (
      PARTITION BY op.name ORDER BY op.seq ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ),
    0
  ) >= op.stop AS is_recursive
FROM tpt_op AS op
LEFT JOIN covered USING (seq)
WHERE
  op.launch_key IS NULL
ORDER BY op.seq;
