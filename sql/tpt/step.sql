-- Steps, and the GPU work of each.

INCLUDE PERFETTO MODULE tpt.arg;

INCLUDE PERFETTO MODULE tpt.process_rank;

INCLUDE PERFETTO MODULE tpt.row;

INCLUDE PERFETTO MODULE tpt.gpu_slice;

INCLUDE PERFETTO MODULE tpt.launch;

-- The steps of each rank: ProfilerStep annotations; without them the outermost annotations of the
-- CPU (those of single collectives aside); without these the outermost ones of the GPU.
CREATE PERFETTO TABLE tpt_step(
  -- Number of the step, in the order of ranks and starts.
  seq LONG,
  -- Id of the annotation's slice.
  id JOINID(slice.id),
  -- Its track.
  track_id JOINID(track.id),
  -- Name of the annotation.
  name STRING,
  -- Its start, ns.
  ts TIMESTAMP,
  -- Its end as recorded, ns.
  ts_end TIMESTAMP,
  -- Its rank; NULL in the trace of one rank.
  rank LONG,
  -- 1: an annotation of the GPU, 0: of the CPU.
  on_gpu BOOL
) AS
WITH
  annotation AS (
    SELECT
      s.id,
      s.track_id,
      s.name,
      s.ts,
      s.ts + tpt_recorded_dur!(s.arg_set_id, s.dur) AS ts_end,
      tpt_process_rank.rank,
      s.category = 'gpu_user_annotation' AS on_gpu,
      s.name GLOB 'ProfilerStep*' AS is_profiler_step
    FROM slice AS s
    CROSS JOIN tpt_row USING (track_id)
    LEFT JOIN tpt_process_rank USING (upid)
    WHERE
      s.category IN ('user_annotation', 'gpu_user_annotation')
      AND NOT s.name GLOB 'nccl:*'
      AND NOT s.name GLOB 'gloo:*'
  ),
  ranked AS (
    SELECT *, 2 * on_gpu + NOT is_profiler_step AS place FROM annotation
  ),
  best AS (
    SELECT *, MIN(place) OVER (PARTITION BY rank) AS best_place FROM ranked
  ),
  -- the GPU has a copy of each annotation per stream that it reaches
  joined AS (
    SELECT
      MIN(id) AS id,
      track_id,
      name,
      MIN(ts) AS ts,
      MAX(ts_end) AS ts_end,
      rank,
      on_gpu,
      is_profiler_step
    FROM best
    WHERE
      place = best_place
    GROUP BY rank, IIF(is_profiler_step OR on_gpu, name, id)
  ),
  nested AS (
    SELECT
      *,
      MAX(ts_end) OVER (
        PARTITION BY rank
        ORDER BY ts, ts_end DESC, id
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
      ) AS covered_until
    FROM joined
  )
SELECT
  ROW_NUMBER() OVER (ORDER BY rank, ts, id) AS seq,
  id,
  track_id,
  name,
  ts,
  ts_end,
  rank,
  on_gpu
FROM nested
WHERE
  is_profiler_step OR covered_until IS NULL OR covered_until < ts_end
ORDER BY seq;

-- The step of each piece of GPU work: the one in which it was launched. Where the trace has no
-- launch, or steps of the GPU alone, the one in which it started. Work outside of steps has no row
-- here.
CREATE PERFETTO TABLE tpt_step_work(
  -- Id of the work's slice.
  id JOINID(slice.id),
  -- Its step, as in `tpt_step`.
  seq LONG
) AS
WITH
  on_gpu AS MATERIALIZED (
    SELECT COALESCE(rank, -1) AS rank_or_none, MAX(on_gpu) AS steps_on_gpu
    FROM tpt_step
    GROUP BY 1
  ),
  point AS (
    SELECT rank, ts AS at, 0 AS is_work, seq, NULL AS id FROM tpt_step
    UNION ALL
    SELECT
      work.rank,
      IIF(on_gpu.steps_on_gpu, work.ts, COALESCE(launch.ts, work.ts)),
      1,
      NULL,
      work.id
    FROM tpt_gpu_slice AS work
    CROSS JOIN on_gpu ON on_gpu.rank_or_none = COALESCE(work.rank, -1)
    LEFT JOIN tpt_launch AS launch USING (launch_key)
  ),
  latest AS (
    SELECT
      id,
      at,
      MAX(seq) OVER (
        PARTITION BY rank
        ORDER BY at, is_work
        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
      ) AS seq
    FROM point
  )
SELECT latest.id, step.seq
FROM latest
CROSS JOIN tpt_step AS step USING (seq)
WHERE
  latest.id IS NOT NULL AND latest.at < step.ts_end
ORDER BY latest.id;
