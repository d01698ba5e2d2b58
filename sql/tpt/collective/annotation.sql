-- Annotations around the launches of collectives, for kernels that carry no args.

INCLUDE PERFETTO MODULE tpt.arg;

INCLUDE PERFETTO MODULE tpt.track;

INCLUDE PERFETTO MODULE tpt.launched;

-- The annotations of collectives, `nccl:all_to_all`, the op `record_param_comms` around them, whose
-- args are those that Kineto copies to kernels (PyTorch, ProcessGroupNCCL.cpp), and the ops
-- `c10d::allreduce_` and `_c10d_functional::all_reduce` around both (Ops.cpp, Functional.cpp).
CREATE PERFETTO TABLE _tpt_collective_mark AS
SELECT
  ROW_NUMBER() OVER (ORDER BY s.ts, s.id) AS number,
  IIF(
    s.name = 'record_param_comms',
    tpt_arg!(s.arg_set_id, 'Collective name'),
    LTRIM(SUBSTR(s.name, INSTR(s.name, ':')), ':')
  ) AS name,
  s.arg_set_id,
  s.track_id,
  s.ts,
  s.ts + tpt_recorded_dur!(s.arg_set_id, s.dur) AS ts_end,
  s.depth,
  CASE
    WHEN s.category = 'user_annotation' THEN 'annotation'
    WHEN s.name = 'record_param_comms' THEN 'params'
    ELSE 'op'
  END AS source,
  tpt_track.upid,
  tpt_track_key!(tpt_track.tid, tpt_track.track_key, s.arg_set_id) AS track_key
FROM slice AS s
CROSS JOIN tpt_track USING (track_id)
WHERE
  (
    (s.category = 'user_annotation' AND s.name GLOB 'nccl:*')
    OR (
      s.category = 'cpu_op'
      AND s.name = 'record_param_comms'
      AND tpt_arg!(s.arg_set_id, 'Collective name') IS NOT NULL
    )
    OR (
      s.category = 'cpu_op'
      AND (
        s.name GLOB 'c10d::*' OR s.name GLOB 'c10d_functional::*'
        OR s.name GLOB '_c10d_functional::*'
      )
    )
  )
  AND s.dur >= 0
ORDER BY number;

-- The marks around the launch of each collective kernel without args, on the thread that launched
-- it. Slices of one lane and depth do not overlap: of each the latest is asked whether it still
-- runs. The innermost began last; depths on several lanes depend on what else was loaded.
CREATE PERFETTO TABLE tpt_collective_annotation(
  -- Id of the kernel's slice.
  id JOINID(slice.id),
  -- Name of the collective in the innermost annotation, for example all_to_all; without an
  -- annotation that in the args of `record_param_comms`, else that of the op.
  name STRING,
  -- Set of arguments that describe the collective: of `record_param_comms`, else of the
  -- annotation; NULL: of neither.
  arg_set_id LONG
) AS
WITH
  silent AS (
    SELECT work.id, work.launch_ts, work.launch_upid, work.launch_track_key
    FROM tpt_launched AS work
    CROSS JOIN slice USING (id)
    WHERE
      work.collective IS NOT NULL
      AND work.launch_ts IS NOT NULL
      AND tpt_arg!(slice.arg_set_id, 'Collective name') IS NULL
  ),
  level AS MATERIALIZED (
    SELECT DISTINCT upid, track_key, track_id, depth, source FROM _tpt_collective_mark
  ),
  point AS (
    SELECT track_id, depth, source, ts AS at, number, NULL AS id
    FROM _tpt_collective_mark
    UNION ALL
    SELECT level.track_id, level.depth, level.source, silent.launch_ts, NULL, silent.id
    FROM silent
    CROSS JOIN level
      ON level.upid = silent.launch_upid AND level.track_key = silent.launch_track_key
  ),
  latest AS (
    SELECT
      id,
      at,
      MAX(number) OVER (
        PARTITION BY track_id, depth, source
        ORDER BY at, id IS NOT NULL
        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
      ) AS number
    FROM point
  ),
  around AS (
    SELECT
      latest.id,
      mark.name,
      mark.source,
      mark.arg_set_id,
      ROW_NUMBER() OVER (
        PARTITION BY latest.id, mark.source ORDER BY mark.ts DESC, mark.ts_end, mark.depth DESC
      ) AS place
    FROM latest
    CROSS JOIN _tpt_collective_mark AS mark USING (number)
    WHERE
      latest.id IS NOT NULL AND mark.ts_end >= latest.at
  )
SELECT
  id,
  COALESCE(
    MAX(IIF(source = 'annotation', name, NULL)),
    MAX(IIF(source = 'params', name, NULL)),
    MAX(name)
  ) AS name,
  COALESCE(
    MAX(IIF(source = 'params', arg_set_id, NULL)),
    MAX(IIF(source = 'annotation', arg_set_id, NULL))
  ) AS arg_set_id
FROM around
WHERE
  place = 1
GROUP BY id
ORDER BY id;
