-- CPU ops: which lies in which, and the GPU work that each launched.

INCLUDE PERFETTO MODULE tpt.arg;

INCLUDE PERFETTO MODULE tpt.process_rank;

INCLUDE PERFETTO MODULE tpt.track;

INCLUDE PERFETTO MODULE tpt.nest;

INCLUDE PERFETTO MODULE tpt.launch;

INCLUDE PERFETTO MODULE tpt.launched;

-- Ops, and the calls that launched work as ops that take no time.
CREATE PERFETTO TABLE _tpt_op_or_launch AS
SELECT
  s.id,
  tpt_track.upid,
  tpt_track_key!(tpt_track.tid, tpt_track.track_key, s.arg_set_id) AS track_key,
  s.ts,
  tpt_recorded_dur!(s.arg_set_id, s.dur) AS dur,
  NULL AS launch_id
FROM slice AS s
CROSS JOIN tpt_track USING (track_id)
WHERE
  s.category IN ('cpu_op', 'Operator') AND s.dur >= 0 AND tpt_track.upid IS NOT NULL
UNION ALL
SELECT NULL, launch.upid, launch.track_key, launch.ts, 0, launch_id
FROM (SELECT DISTINCT launch_id FROM tpt_launched)
CROSS JOIN tpt_launch AS launch USING (launch_id)
WHERE
  launch.upid IS NOT NULL
ORDER BY upid, track_key, ts, dur DESC, id;

-- Ops and launch calls, thread after thread on one time axis; `seq` is the order of their starts.
-- Of ops with equal start and end the one that the file has first is around the others.
CREATE PERFETTO TABLE tpt_op(
  -- Number in the order of starts.
  seq LONG,
  -- Its start on that axis, ns.
  start TIMESTAMP,
  -- Its end on that axis, ns.
  stop TIMESTAMP,
  -- Its start in the trace, ns.
  ts TIMESTAMP,
  -- Id of its slice; NULL for calls.
  id JOINID(slice.id),
  -- Its rank; NULL in the trace of one rank.
  rank LONG,
  -- Its process.
  upid JOINID(process.id),
  -- The track of its thread, as `tpt_track_key!` has it.
  track_key LONG,
  -- Its recorded duration, ns; 0 for calls.
  dur DURATION,
  -- Its name; NULL for calls.
  name STRING,
  -- The call, as in `tpt_launch`; NULL for ops.
  launch_id LONG
) AS
SELECT
  op.seq,
  op.start,
  op.stop,
  op.ts,
  op.id,
  tpt_process_rank.rank,
  op.upid,
  op.track_key,
  op.dur,
  slice.name,
  op.launch_id
FROM tpt_on_axis!(_tpt_op_or_launch) AS op
LEFT JOIN tpt_process_rank USING (upid)
LEFT JOIN slice ON slice.id = op.id;

-- The op that each lies in.
CREATE PERFETTO TABLE tpt_op_parent(
  -- The op or call, as in `tpt_op`.
  seq LONG,
  -- The op that it lies in; 0: in none.
  parent LONG,
  -- Its start, ns.
  start TIMESTAMP,
  -- Its end, or the end of the op that it lies in where that is sooner, ns.
  stop TIMESTAMP,
  -- The end of the one before it in the same op, ns; NULL: it is the first.
  since TIMESTAMP
) AS
SELECT seq, parent, start, stop, since
FROM tpt_parents!(tpt_op);

-- The op of each piece of GPU work: the innermost one around its launch call. Where there is no
-- such call, or no op around it, the op of its External id in the process of the call, if that
-- began no later than the call; where no call is recorded, than the work, and then none where ops
-- of several processes have this id.
CREATE PERFETTO TABLE tpt_op_of_work(
  -- Id of the work's slice.
  id JOINID(slice.id),
  -- The op, as in `tpt_op`; NULL: of no op.
  seq LONG
) AS
WITH
  launched_in AS MATERIALIZED (
    SELECT op.launch_id, parent.parent AS seq
    FROM tpt_op_parent AS parent
    CROSS JOIN tpt_op AS op USING (seq)
    WHERE
      op.launch_id IS NOT NULL AND parent.parent > 0
  ),
  work AS MATERIALIZED (
    SELECT
      work.id,
      work.rank,
      work.launch_upid,
      COALESCE(work.launch_ts, work.ts) AS at,
      launched_in.seq,
      IIF(
        launched_in.seq IS NULL,
        NULLIF(tpt_int_arg!(slice.arg_set_id, 'External id'), 0),
        NULL
      ) AS external_id
    FROM tpt_launched AS work
    CROSS JOIN slice USING (id)
    LEFT JOIN launched_in USING (launch_id)
  ),
  -- in the order of starts in time; `seq` is that of threads
  numbered AS MATERIALIZED (
    SELECT *, ROW_NUMBER() OVER (ORDER BY ts, seq) AS number
    FROM (
      SELECT
        op.seq,
        op.rank,
        op.upid,
        op.ts,
        NULLIF(tpt_int_arg!(slice.arg_set_id, 'External id'), 0) AS external_id
      FROM tpt_op AS op
      CROSS JOIN slice USING (id)
      WHERE
        (SELECT COUNT(external_id) FROM work) > 0
    )
    WHERE
      external_id IN (SELECT external_id FROM work)
  ),
  -- ids that ops of one process have
  sole AS MATERIALIZED (
    SELECT external_id, rank, MIN(upid) AS upid
    FROM numbered
    GROUP BY external_id, rank
    HAVING
      COUNT(DISTINCT upid) = 1
  ),
  point AS (
    SELECT rank, upid, external_id, ts AS at, 0 AS is_work, NULL AS id, number FROM numbered
    UNION ALL
    SELECT
      work.rank, COALESCE(work.launch_upid, sole.upid), work.external_id, work.at, 1, work.id, NULL
    FROM work
    LEFT JOIN sole
      ON sole.external_id = work.external_id AND sole.rank IS work.rank
    WHERE
      work.external_id IS NOT NULL
  ),
  latest AS (
    SELECT
      id,
      MAX(number) OVER (
        PARTITION BY rank, upid, external_id
        ORDER BY at, is_work
        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
      ) AS number
    FROM point
  ),
  by_id AS MATERIALIZED (
    SELECT latest.id, numbered.seq
    FROM latest
    CROSS JOIN numbered USING (number)
    WHERE
      latest.id IS NOT NULL
  )
SELECT work.id, COALESCE(work.seq, by_id.seq) AS seq
FROM work
LEFT JOIN by_id USING (id)
ORDER BY work.id;

-- Ops that launched work themselves, with that work.
CREATE PERFETTO TABLE tpt_op_work(
  -- The op, as in `tpt_op`.
  seq LONG,
  -- Kernels, copies and memsets that it launched.
  events LONG,
  -- Their durations, summed, ns.
  gpu_ns DURATION
) AS
SELECT op.seq, COUNT(*) AS events, SUM(work.dur) AS gpu_ns
FROM tpt_op_of_work AS op
CROSS JOIN tpt_launched AS work USING (id)
WHERE
  op.seq IS NOT NULL
GROUP BY op.seq
ORDER BY op.seq;

-- GPU work of no op, with the reason.
CREATE PERFETTO TABLE tpt_no_op_work(
  -- Id of the work's slice.
  id JOINID(slice.id),
  -- Its rank; NULL in the trace of one rank.
  rank LONG,
  -- launch not recorded; graph replay: a call that launches a graph, outside of ops; outside ops:
  -- any other call outside of ops.
  reason STRING,
  -- Its duration, ns.
  dur DURATION
) AS
SELECT
  work.id,
  work.rank,
  CASE
    WHEN work.launch_id IS NULL THEN 'launch not recorded'
    WHEN work.launch_name GLOB '*GraphLaunch*' THEN 'graph replay'
    ELSE 'outside ops'
  END AS reason,
  work.dur
FROM tpt_op_of_work AS op
CROSS JOIN tpt_launched AS work USING (id)
WHERE
  op.seq IS NULL
ORDER BY work.id;

-- Ops that begin in an earlier one of their name.
CREATE PERFETTO TABLE _tpt_op_again AS
SELECT seq, since
FROM (
  SELECT
    seq,
    start,
    MAX(stop) OVER (
      PARTITION BY name ORDER BY seq ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ) AS since
  FROM tpt_op
  WHERE
    launch_id IS NULL
)
WHERE
  since > start
ORDER BY seq;

-- Each op with the time that it spends in no other op, and in no earlier one of its name.
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
  -- Of its duration, time in no op of the same name that began before it on its thread, ns.
  first_ns DURATION
) AS
WITH
  covered AS MATERIALIZED (
    SELECT parent AS seq, SUM(MAX(0, stop - MAX(start, COALESCE(since, start)))) AS covered_ns
    FROM tpt_op_parent
    WHERE
      parent > 0
    GROUP BY parent
  )
SELECT
  op.seq,
  op.rank,
  op.name,
  op.dur,
  op.dur - COALESCE(covered.covered_ns, 0) AS self_ns,
  IIF(again.since IS NULL, op.dur, MIN(op.dur, MAX(0, op.stop - again.since))) AS first_ns
FROM tpt_op AS op
LEFT JOIN covered USING (seq)
LEFT JOIN _tpt_op_again AS again USING (seq)
WHERE
  op.launch_id IS NULL
ORDER BY op.seq;
