-- Modules (nn.Module, else the user's annotations): their calls, and the GPU work of each, forward
-- and backward.

INCLUDE PERFETTO MODULE tpt.arg;

INCLUDE PERFETTO MODULE tpt.process_rank;

INCLUDE PERFETTO MODULE tpt.track;

INCLUDE PERFETTO MODULE tpt.nest;

INCLUDE PERFETTO MODULE tpt.launched;

INCLUDE PERFETTO MODULE tpt.op;

INCLUDE PERFETTO MODULE tpt.step_name;

-- Calls of modules, by rank: of nn.Module, which Python stacks show; in a rank that has none of
-- these, annotations that mark no steps.
CREATE PERFETTO TABLE tpt_module_slice(
  -- Id of its slice.
  id JOINID(slice.id),
  -- Its start, ns.
  ts TIMESTAMP,
  -- Its duration, ns.
  dur DURATION,
  -- Its name.
  name STRING,
  -- 1: of nn.Module, 0: an annotation.
  is_module BOOL,
  -- Its rank; NULL in the trace of one rank.
  rank LONG,
  -- Its process.
  upid JOINID(process.id),
  -- The track of its thread, as `tpt_track_key!` has it.
  track_key LONG
) AS
WITH
  named AS MATERIALIZED (
    SELECT
      s.id,
      s.ts,
      tpt_recorded_dur!(s.arg_set_id, s.dur) AS dur,
      IIF(s.category = 'python_function', SUBSTR(s.name, 12), s.name) AS name,
      s.category = 'python_function' AS is_module,
      tpt_process_rank.rank,
      tpt_track.upid,
      tpt_track_key!(tpt_track.tid, tpt_track.track_key, s.arg_set_id) AS track_key
    FROM slice AS s
    CROSS JOIN tpt_track USING (track_id)
    LEFT JOIN tpt_process_rank USING (upid)
    WHERE
      s.dur > 0
      AND (
        (s.category = 'python_function' AND s.name GLOB 'nn.Module: *')
        OR (
          s.category = 'user_annotation'
          AND NOT s.name GLOB 'ProfilerStep#*'
          AND NOT tpt_is_iteration(s.name)
        )
      )
  ),
  of_rank AS MATERIALIZED (
    SELECT rank, MAX(is_module) AS has_modules FROM named GROUP BY rank
  )
SELECT named.*
FROM named
CROSS JOIN of_rank ON of_rank.rank IS named.rank AND of_rank.has_modules = named.is_module
ORDER BY named.id;

-- Ops that autograd numbers: of the backward pass, with the number of the thread of their forward
-- op, or of the forward pass.
CREATE PERFETTO TABLE _tpt_numbered_op AS
SELECT *
FROM (
  SELECT
    op.seq AS op_seq,
    tpt_int_arg!(slice.arg_set_id, 'Sequence number') AS number,
    COALESCE(tpt_int_arg!(slice.arg_set_id, 'Fwd thread id'), 0) AS forward_thread
  FROM tpt_op AS op
  CROSS JOIN slice ON slice.id = op.id
)
WHERE
  number >= 0
ORDER BY op_seq;

-- Calls of modules, ops of the backward pass, and, as slices of no time, other numbered ops, launch
-- calls, and ops whose work has no launch call.
CREATE PERFETTO TABLE _tpt_module_or_op AS
WITH
  unlaunched AS MATERIALIZED (
    SELECT DISTINCT work.seq AS op_seq
    FROM tpt_op_of_work AS work
    WHERE
      work.seq IS NOT NULL
  )
SELECT id, upid, track_key, ts, dur, rank, name, NULL AS op_seq, 1 AS is_call, 0 AS is_backward
FROM tpt_module_slice
WHERE
  upid IS NOT NULL
UNION ALL
SELECT
  op.id,
  op.upid,
  op.track_key,
  op.ts,
  IIF(numbered.forward_thread > 0, op.dur, 0),
  op.rank,
  NULL,
  op.seq,
  0,
  COALESCE(numbered.forward_thread > 0, 0)
FROM tpt_op AS op
LEFT JOIN _tpt_numbered_op AS numbered ON numbered.op_seq = op.seq
LEFT JOIN unlaunched ON unlaunched.op_seq = op.seq
WHERE
  op.launch_id IS NOT NULL OR numbered.op_seq IS NOT NULL OR unlaunched.op_seq IS NOT NULL
ORDER BY upid, track_key, ts, dur DESC, id;

-- All of these on one axis.
CREATE PERFETTO TABLE _tpt_module_event AS
SELECT seq, start, stop, ts, upid, track_key, rank, dur, name, op_seq, is_call, is_backward
FROM tpt_on_axis!(_tpt_module_or_op)
ORDER BY seq;

-- The module call or backward op that each lies in, 0 for none.
CREATE PERFETTO TABLE _tpt_module_event_parent AS
SELECT seq, parent
FROM tpt_parents!(_tpt_module_event);

-- The forward op of each op of the backward pass: of those that have its number on the thread of
-- the forward pass, the one that began last, which made its node (PyTorch, torch/csrc/profiler/
-- collection.cpp, generateForwardBackwardLink). Autograd counts threads by itself, so the thread is
-- the one whose ops have most of the numbers; none where two have as many.
CREATE PERFETTO TABLE _tpt_forward_of AS
WITH
  numbered AS MATERIALIZED (
    SELECT event.seq, event.upid, event.track_key, event.ts, op.number, op.forward_thread
    FROM _tpt_numbered_op AS op
    CROSS JOIN _tpt_module_event AS event USING (op_seq)
  ),
  forward AS MATERIALIZED (
    SELECT upid, track_key, number, seq, MAX(ts) AS ts
    FROM numbered
    WHERE
      forward_thread = 0
    GROUP BY upid, track_key, number
  ),
  candidate AS MATERIALIZED (
    SELECT
      backward.seq,
      backward.upid,
      backward.forward_thread,
      forward.track_key,
      forward.seq AS made
    FROM numbered AS backward
    CROSS JOIN forward USING (upid, number)
    WHERE
      backward.forward_thread > 0 AND forward.ts < backward.ts
  ),
  thread AS (
    SELECT upid, forward_thread, track_key, COUNT(*) AS numbers
    FROM candidate
    GROUP BY upid, forward_thread, track_key
  ),
  ranked AS MATERIALIZED (
    SELECT
      upid,
      forward_thread,
      track_key,
      ROW_NUMBER() OVER by_numbers AS place,
      numbers = LEAD(numbers) OVER by_numbers AS is_tied
    FROM thread
    WINDOW by_numbers AS (PARTITION BY upid, forward_thread ORDER BY numbers DESC)
  )
SELECT candidate.seq, candidate.made
FROM candidate
CROSS JOIN ranked USING (upid, forward_thread, track_key)
WHERE
  ranked.place = 1 AND COALESCE(ranked.is_tied, 0) = 0
ORDER BY candidate.seq;

-- The forward op of each op of the backward pass that has one.
CREATE PERFETTO TABLE tpt_forward_op(
  -- The backward op, as in `tpt_op`.
  seq LONG,
  -- Its forward op, likewise.
  forward_seq LONG
) AS
SELECT event.op_seq AS seq, made.op_seq AS forward_seq
FROM _tpt_forward_of AS forward
CROSS JOIN _tpt_module_event AS event USING (seq)
CROSS JOIN _tpt_module_event AS made ON made.seq = forward.made
ORDER BY event.op_seq;

-- The op of the backward pass that lies around each op of GPU work, or that it is itself; the
-- innermost, if there are several.
CREATE PERFETTO TABLE tpt_backward_around(
  -- The op, as in `tpt_op`.
  seq LONG,
  -- The op of the backward pass, likewise.
  backward_seq LONG
) AS
WITH RECURSIVE
  numbered AS MATERIALIZED (
    SELECT op_seq AS seq FROM _tpt_numbered_op WHERE forward_thread > 0
  ),
  around(from_seq, seq) AS (
    SELECT DISTINCT seq, seq FROM tpt_op_of_work WHERE seq IS NOT NULL
    UNION ALL
    SELECT around.from_seq, parent.parent
    FROM around
    CROSS JOIN tpt_op_parent AS parent USING (seq)
    WHERE
      parent.parent > 0 AND around.seq NOT IN (SELECT seq FROM numbered)
  )
SELECT from_seq AS seq, seq AS backward_seq
FROM around
WHERE
  seq IN (SELECT seq FROM numbered)
ORDER BY from_seq;

-- Calls of modules in the backward pass, as checkpoints make them, with the call of that module
-- before them that some module or nothing is around.
CREATE PERFETTO TABLE _tpt_module_twin AS
WITH
  call AS MATERIALIZED (
    SELECT
      event.seq,
      event.upid,
      event.name,
      COALESCE(outer_event.is_backward, 0) AS is_again,
      ROW_NUMBER() OVER (ORDER BY event.ts, event.seq) AS number
    FROM _tpt_module_event AS event
    CROSS JOIN _tpt_module_event_parent AS own USING (seq)
    LEFT JOIN _tpt_module_event AS outer_event ON outer_event.seq = own.parent
    WHERE
      event.is_call
  ),
  latest AS (
    SELECT
      seq,
      is_again,
      MAX(IIF(is_again, NULL, number)) OVER (
        PARTITION BY upid, name ORDER BY number ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
      ) AS number
    FROM call
  )
SELECT latest.seq, call.seq AS twin
FROM latest
CROSS JOIN call USING (number)
WHERE
  latest.is_again
ORDER BY latest.seq;

-- What lies around each call and backward op: the event around it, for a backward op the event
-- around its forward op, and for a call in the backward pass the event around the earlier call.
CREATE PERFETTO TABLE _tpt_module_outer AS
SELECT
  event.seq,
  event.name,
  COALESCE(elsewhere.parent, own.parent) AS parent,
  event.is_backward AND elsewhere.seq IS NULL AS is_lost
FROM _tpt_module_event AS event
CROSS JOIN _tpt_module_event_parent AS own USING (seq)
LEFT JOIN _tpt_forward_of AS forward USING (seq)
LEFT JOIN _tpt_module_twin AS twin USING (seq)
LEFT JOIN _tpt_module_event_parent AS elsewhere
  ON elsewhere.seq = COALESCE(forward.made, twin.twin)
WHERE
  event.is_call OR event.is_backward
-- in this order children are found by a search: a recursive query makes no index
ORDER BY COALESCE(elsewhere.parent, own.parent), event.seq;

-- The path of modules to each call and backward op.
CREATE PERFETTO TABLE _tpt_module_path AS
WITH RECURSIVE
  walk(seq, path, outer_path, depth, is_lost) AS (
    SELECT seq, name, NULL, IIF(name IS NULL, 0, 1), is_lost
    FROM _tpt_module_outer
    WHERE
      parent = 0
    UNION ALL
    SELECT
      it.seq,
      IIF(it.name IS NULL, walk.path, COALESCE(walk.path || ' > ', '') || it.name),
      IIF(it.name IS NULL, walk.outer_path, walk.path),
      walk.depth + IIF(it.name IS NULL, 0, 1),
      it.is_lost AND walk.is_lost
    FROM walk
    CROSS JOIN _tpt_module_outer AS it ON it.parent = walk.seq
  )
SELECT seq, path, outer_path, depth, is_lost
FROM walk
ORDER BY seq;

-- Each call of a module.
CREATE PERFETTO TABLE tpt_module_call(
  -- Number of the call.
  seq LONG,
  -- Its rank; NULL in the trace of one rank.
  rank LONG,
  -- The modules that it lies in, from the outermost on, and its own name: A_0 > B_0.
  path STRING,
  -- The same without its own name; NULL for the outermost.
  outer_path STRING,
  -- Its name, such as Linear_3: class and number, as the profiler writes them.
  name STRING,
  -- How many modules the path has.
  depth LONG,
  -- Its start, ns.
  ts TIMESTAMP,
  -- Its duration, ns.
  dur DURATION
) AS
SELECT
  event.seq,
  event.rank,
  path.path,
  path.outer_path,
  event.name,
  path.depth,
  event.ts,
  event.dur
FROM _tpt_module_event AS event
CROSS JOIN _tpt_module_path AS path USING (seq)
WHERE
  event.is_call
ORDER BY event.ts, event.seq;

-- The module of each piece of GPU work: the innermost one around its launch call, else around its
-- op (see `tpt_op_of_work`). Work of the backward pass is of the module of its forward op; a module
-- that is called again in the backward pass, as checkpoints do, counts as forward.
CREATE PERFETTO TABLE tpt_module_work(
  -- Id of the work's slice.
  id JOINID(slice.id),
  -- Its rank; NULL in the trace of one rank.
  rank LONG,
  -- Its duration, ns.
  dur DURATION,
  -- The path of the module, as in `tpt_module_call`; NULL: of none.
  path STRING,
  -- 1: launched by the backward pass, else 0.
  is_backward BOOL,
  -- Why it is of no module: no modules recorded, launch not recorded, forward not recorded (of the
  -- backward pass, its forward op is not in the trace), graph replay, outside modules; else NULL.
  reason STRING
) AS
WITH
  found AS MATERIALIZED (
    SELECT
      event.op_seq,
      op.launch_id,
      path.seq IS NOT NULL AS is_inside,
      path.path,
      path.is_lost,
      outer_event.is_backward
    FROM _tpt_module_event AS event
    CROSS JOIN _tpt_module_event_parent AS own USING (seq)
    CROSS JOIN tpt_op AS op ON op.seq = event.op_seq
    LEFT JOIN _tpt_module_event AS outer_event
      ON outer_event.seq = IIF(event.is_backward, event.seq, own.parent)
    LEFT JOIN _tpt_module_path AS path ON path.seq = outer_event.seq
  ),
  by_launch AS MATERIALIZED (
    SELECT * FROM found WHERE launch_id IS NOT NULL AND is_inside
  ),
  has_modules AS MATERIALIZED (
    SELECT DISTINCT rank FROM tpt_module_slice
  )
SELECT
  work.id,
  work.rank,
  work.dur,
  IIF(by_launch.is_inside, by_launch.path, by_op.path) AS path,
  COALESCE(IIF(by_launch.is_inside, by_launch.is_backward, by_op.is_backward), 0) AS is_backward,
  CASE
    WHEN IIF(by_launch.is_inside, by_launch.path, by_op.path) IS NOT NULL THEN NULL
    WHEN NOT EXISTS (SELECT 1 FROM has_modules WHERE has_modules.rank IS work.rank)
      THEN 'no modules recorded'
    WHEN work.launch_id IS NULL AND op.seq IS NULL THEN 'launch not recorded'
    WHEN IIF(by_launch.is_inside, by_launch.is_lost, by_op.is_lost) THEN 'forward not recorded'
    WHEN work.launch_name GLOB '*GraphLaunch*' THEN 'graph replay'
    ELSE 'outside modules'
  END AS reason
FROM tpt_launched AS work
CROSS JOIN tpt_op_of_work AS op USING (id)
LEFT JOIN by_launch USING (launch_id)
LEFT JOIN found AS by_op ON by_op.op_seq = op.seq
ORDER BY work.id;
