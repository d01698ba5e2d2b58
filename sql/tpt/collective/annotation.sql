-- Annotations around the launches of collectives, for kernels that carry no args.

INCLUDE PERFETTO MODULE tpt.arg;

INCLUDE PERFETTO MODULE tpt.track;

INCLUDE PERFETTO MODULE tpt.launched;

-- The annotations of collectives, `nccl:all_to_all`, and the op `record_param_comms` around them,
-- whose args are those that Kineto copies to kernels (PyTorch, ProcessGroupNCCL.cpp).
CREATE PERFETTO TABLE _tpt_collective_mark AS
SELECT
  ROW_NUMBER() OVER (ORDER BY s.ts, s.id) AS number,
  s.name,
  s.arg_set_id,
  s.ts,
  s.ts + tpt_recorded_dur!(s.arg_set_id, s.dur) AS ts_end,
  s.depth,
  s.name = 'record_param_comms' AS is_op,
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
  )
  AND s.dur >= 0
ORDER BY number;

-- The marks around the launch of each collective kernel without args, on the thread that launched
-- it. Slices of one depth do not overlap: of each depth the latest is asked whether it still runs.
CREATE PERFETTO TABLE tpt_collective_annotation(
  -- Id of the kernel's slice.
  id JOINID(slice.id),
  -- Name of the collective in the innermost annotation, for example all_to_all; without an
  -- annotation its name in the op.
  name STRING,
  -- Set of arguments that describe the collective: of the op, else of the annotation.
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
    SELECT DISTINCT upid, track_key, depth, is_op FROM _tpt_collective_mark
  ),
  point AS (
    SELECT upid, track_key, depth, is_op, ts AS at, number, NULL AS id
    FROM _tpt_collective_mark
    UNION ALL
    SELECT level.upid, level.track_key, level.depth, level.is_op, silent.launch_ts, NULL, silent.id
    FROM silent
    CROSS JOIN level
      ON level.upid = silent.launch_upid AND level.track_key = silent.launch_track_key
  ),
  latest AS (
    SELECT
      id,
      at,
      MAX(number) OVER (
        PARTITION BY upid, track_key, depth, is_op
        ORDER BY at, id IS NOT NULL
        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
      ) AS number
    FROM point
  ),
  around AS (
    SELECT
      latest.id,
      mark.name,
      mark.is_op,
      mark.arg_set_id,
      ROW_NUMBER() OVER (
        PARTITION BY latest.id, mark.is_op ORDER BY mark.depth DESC, mark.ts DESC, mark.number
      ) AS place
    FROM latest
    CROSS JOIN _tpt_collective_mark AS mark USING (number)
    WHERE
      latest.id IS NOT NULL AND mark.ts_end >= latest.at
  )
SELECT
  id,
  COALESCE(
    MAX(IIF(is_op, NULL, SUBSTR(name, 6))),
    MAX(IIF(is_op, tpt_arg!(arg_set_id, 'Collective name'), NULL))
  ) AS name,
  COALESCE(MAX(IIF(is_op, arg_set_id, NULL)), MAX(IIF(is_op, NULL, arg_set_id))) AS arg_set_id
FROM around
WHERE
  place = 1
GROUP BY id
ORDER BY id;
