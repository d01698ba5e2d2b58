-- Idle gaps: when a device had nothing to do, and why, longest first.
--
-- A gap is a time between the first and the last work of a device in which no stream runs anything;
-- the gaps of a device add up to its idle_ns in gpu_time. Why it ended no earlier, asked of the
-- work that ended it, in this order:
--   dependency   its launch call had returned before the gap began, or its graph was already
--                running: it waited for other work, for an event, or for the GPU itself
--   end of step  launched too late for that, and in another step than the work before the gap
--   sync         launched too late, by a thread that was in a call that waits for the GPU when the
--                gap began: *Synchronize, or a copy whose call returned only after the copy
--   launch       launched too late for any other reason: the CPU was slow
-- A copy whose call returned only after the copy counts as launched when that call began.
--
-- Grain: one row per idle gap of a device.
-- Scope: rank
-- Needs: kernel, gpu_memcpy, gpu_memset, cuda_runtime, cuda_driver, xpu_runtime, user_annotation,
--   gpu_user_annotation

-- [[[cog shared("gpu_slice", "gpu_state", "launch", "step") ]]]

-- The rank of each process of a merged trace, by its name: "rank 3 (TP3 DP0) GPU 3", "[TP03] 3",
-- "[TP03-PP01] 3". Where TP numbers repeat, ranks are counted in the order of DP, PP, TP, EP.
-- NULL where the name says none: in the trace of one rank.
CREATE OR REPLACE PERFETTO TABLE tpt_process_rank AS
WITH
  label AS (
    SELECT
      upid,
      CAST(REGEXP_EXTRACT(name, '^\[?[Rr]ank[ _]?([0-9]+)') AS INT) AS rank,
      CAST(REGEXP_EXTRACT(name, '^\[[^ ]*TP([0-9]+)') AS INT) AS tp,
      COALESCE(CAST(REGEXP_EXTRACT(name, '^\[[^ ]*DP([0-9]+)') AS INT), 0) AS dp,
      COALESCE(CAST(REGEXP_EXTRACT(name, '^\[[^ ]*PP([0-9]+)') AS INT), 0) AS pp,
      COALESCE(CAST(REGEXP_EXTRACT(name, '^\[[^ ]*EP([0-9]+)') AS INT), 0) AS ep
    FROM process
  ),
  place AS (
    SELECT DISTINCT tp, dp, pp, ep FROM label WHERE tp IS NOT NULL
  ),
  numbered AS (
    SELECT
      *,
      IIF(
        (SELECT COUNT(*) = COUNT(DISTINCT tp) FROM place),
        tp,
        ROW_NUMBER() OVER (ORDER BY dp, pp, tp, ep) - 1
      ) AS rank
    FROM place
  )
SELECT label.upid, COALESCE(label.rank, numbered.rank) AS rank
FROM label
LEFT JOIN numbered USING (tp, dp, pp, ep)
ORDER BY label.upid;

-- The process of each track, and its row: a thread or stream with all its lanes has one number.
CREATE OR REPLACE PERFETTO TABLE tpt_row AS
SELECT
  track.id AS track_id,
  COALESCE(thread.upid, process_track.upid) AS upid,
  thread.tid,
  -- "stream 7", "thread 12 (python)": named tracks stand for rows in a .pftrace
  COALESCE(
    thread.tid,
    CAST(REGEXP_EXTRACT(track.name, '^[a-z]+ ([0-9]+)') AS INT),
    HASH(COALESCE(track.name, ''))
  ) AS row_id
FROM track
LEFT JOIN thread_track ON thread_track.id = track.id
LEFT JOIN thread USING (utid)
LEFT JOIN process_track ON process_track.id = track.id
ORDER BY track.id;

-- The collective that a kernel is, by its name alone; NULL: none. Custom kernels are told by the
-- name of the function: what stands between its namespaces and its template or arguments.
-- 'unknown' is a collective whose name does not say which: RCCL has one kernel for all.
CREATE OR REPLACE PERFETTO FUNCTION tpt_collective_by_name(name STRING)
RETURNS STRING AS
WITH
  qualified AS (
    SELECT
      REGEXP_EXTRACT(
        REPLACE(
          IIF($name GLOB 'void *', SUBSTR($name, 6), $name), '(anonymous namespace)::', ''
        ),
        '^([^<( ]+)'
      ) AS path
  ),
  called AS (
    SELECT path, REGEXP_EXTRACT(path, '([^:]+)$') AS fn FROM qualified
  )
SELECT
  CASE
    -- not collectives, whatever follows
    WHEN fn GLOB 'paged_attention*' OR fn GLOB '*splitKreduce*' OR fn GLOB 'kn_mla_reduce*'
      OR fn = 'reduce_kernel' OR fn GLOB 'triton_*_fused*' THEN NULL
    -- NCCL, RCCL, MSCCL
    WHEN fn GLOB 'nccl*Kernel*' OR fn GLOB 'msccl*Kernel*' THEN
      CASE
        WHEN fn GLOB '*AllReduce*' THEN 'all_reduce'
        WHEN fn GLOB '*ReduceScatter*' THEN 'reduce_scatter'
        WHEN fn GLOB '*AllGather*' THEN 'all_gather'
        WHEN fn GLOB '*AllToAll*' THEN 'all_to_all'
        WHEN fn GLOB '*SendRecv*' THEN 'send_recv'
        WHEN fn GLOB '*Broadcast*' THEN 'broadcast'
        WHEN fn GLOB '*Reduce*' THEN 'reduce'
        ELSE 'unknown'
      END
    -- vLLM, SGLang, AITER, PyTorch, TensorRT-LLM, FlashInfer, quickreduce
    WHEN fn GLOB 'cross_device_reduce_[12]stage*' OR fn GLOB '*all_reduce*'
      OR fn GLOB '*allreduce*' OR fn GLOB '*AllReduce*' THEN 'all_reduce'
    WHEN fn GLOB '*reduce_scatter*' OR fn GLOB '*reducescatter*'
      OR fn GLOB '*ReduceScatter*' THEN 'reduce_scatter'
    WHEN fn GLOB '*all_gather*' OR fn GLOB '*allgather*' OR fn GLOB '*AllGather*' THEN 'all_gather'
    WHEN fn GLOB '*all_to_all*' OR fn GLOB '*alltoall*' OR fn GLOB '*AllToAll*' THEN 'all_to_all'
    -- DeepEP, TensorRT-LLM
    WHEN path GLOB '*intranode::dispatch' OR path GLOB '*internode::dispatch'
      OR path GLOB '*internode_ll::dispatch' OR fn = 'moeA2ADispatchKernel' THEN 'dispatch'
    WHEN path GLOB '*intranode::combine' OR path GLOB '*internode::combine'
      OR path GLOB '*internode_ll::combine' OR fn = 'moeA2ACombineKernel' THEN 'combine'
  END
FROM called;

-- The same kinds, from what PyTorch calls the collective in `Collective name`.
CREATE OR REPLACE PERFETTO FUNCTION tpt_collective_by_arg(arg STRING)
RETURNS STRING AS
SELECT
  CASE
    WHEN $arg GLOB '*all*reduce*' THEN 'all_reduce'
    WHEN $arg GLOB '*reduce*scatter*' THEN 'reduce_scatter'
    WHEN $arg GLOB '*all*gather*' THEN 'all_gather'
    WHEN $arg GLOB '*all*to*all*' THEN 'all_to_all'
    WHEN $arg GLOB '*broadcast*' THEN 'broadcast'
    WHEN $arg GLOB '*reduce*' THEN 'reduce'
    WHEN $arg GLOB '*gather*' THEN 'gather'
    WHEN $arg GLOB '*scatter*' THEN 'scatter'
    WHEN $arg GLOB '*send*' THEN 'send'
    WHEN $arg GLOB '*recv*' THEN 'recv'
    WHEN $arg GLOB '*barrier*' THEN 'barrier'
  END;

-- GPU work: kernels, copies and memsets, from traces as recorded, repaired or merged, as JSON or
-- .pftrace. Annotations are no work. Device and stream are what the work itself says, else its row.
CREATE OR REPLACE PERFETTO TABLE tpt_gpu_slice AS
WITH
  work AS (
    SELECT
      s.id,
      s.ts,
      s.dur,
      s.name,
      s.track_id,
      s.category IN ('kernel', 'Kernel') AS is_kernel,
      COALESCE(
        EXTRACT_ARG(s.arg_set_id, 'args.device'),
        EXTRACT_ARG(s.arg_set_id, 'debug.args.device')
      ) AS device,
      COALESCE(
        EXTRACT_ARG(s.arg_set_id, 'args.stream'),
        EXTRACT_ARG(s.arg_set_id, 'debug.args.stream'),
        EXTRACT_ARG(s.arg_set_id, 'args.tpt_tid'),
        EXTRACT_ARG(s.arg_set_id, 'debug.args.tpt_tid')
      ) AS stream,
      COALESCE(
        EXTRACT_ARG(s.arg_set_id, 'args.correlation'),
        EXTRACT_ARG(s.arg_set_id, 'debug.args.correlation')
      ) AS correlation,
      COALESCE(
        EXTRACT_ARG(s.arg_set_id, 'args.Collective name'),
        EXTRACT_ARG(s.arg_set_id, 'debug.args.Collective name')
      ) AS collective_name
    FROM slice AS s
    WHERE
      s.category IN ('kernel', 'gpu_memcpy', 'gpu_memset', 'Kernel', 'Memcpy', 'Memset')
      AND s.dur >= 0
  ),
  kernel_name AS MATERIALIZED (
    SELECT name, tpt_collective_by_name(name) AS collective
    FROM (SELECT DISTINCT name FROM work WHERE is_kernel)
  )
SELECT
  work.id,
  work.ts,
  work.dur,
  work.ts + work.dur AS ts_end,
  work.name,
  work.track_id,
  tpt_process_rank.rank,
  tpt_row.upid,
  CAST(COALESCE(work.device, process.pid) AS INT) AS device,
  CAST(COALESCE(work.stream, tpt_row.row_id) AS INT) AS stream,
  -- the launch that it comes from, in a number that no two ranks share
  ((COALESCE(tpt_process_rank.rank, 0) + 1) << 40)
  + NULLIF(CAST(work.correlation AS INT), 0) AS launch_key,
  -- compute, collective, or copy: a memset is counted as one
  CASE
    WHEN NOT work.is_kernel THEN 'copy'
    WHEN COALESCE(work.collective_name, kernel_name.collective) IS NOT NULL THEN 'collective'
    ELSE 'compute'
  END AS kind,
  -- which collective it is; NULL: none
  IIF(
    work.is_kernel,
    IIF(
      work.collective_name IS NULL,
      kernel_name.collective,
      COALESCE(tpt_collective_by_arg(work.collective_name), kernel_name.collective, 'unknown')
    ),
    NULL
  ) AS collective
FROM work
CROSS JOIN tpt_row USING (track_id)
LEFT JOIN process USING (upid)
LEFT JOIN tpt_process_rank USING (upid)
LEFT JOIN kernel_name ON work.is_kernel AND kernel_name.name = work.name
ORDER BY work.id;

-- What each device is doing, piece by piece: how many kernels, collectives and copies run from `ts`
-- on for `dur` ns. Pieces of one device touch and do not overlap. Where all three are 0 it is a
-- gap, or, of 0 ns, the end.
CREATE OR REPLACE PERFETTO TABLE tpt_gpu_state AS
WITH
  edge AS (
    SELECT upid, device, ts AS at, 1 AS step, kind FROM tpt_gpu_slice
    UNION ALL
    SELECT upid, device, ts_end, -1, kind FROM tpt_gpu_slice
  ),
  change AS (
    SELECT
      upid,
      device,
      at,
      SUM(IIF(kind = 'compute', step, 0)) AS compute,
      SUM(IIF(kind = 'collective', step, 0)) AS collective,
      SUM(IIF(kind = 'copy', step, 0)) AS copy
    FROM edge
    GROUP BY upid, device, at
  ),
  state AS (
    SELECT
      upid,
      device,
      at AS ts,
      COALESCE(LEAD(at) OVER device_order - at, 0) AS dur,
      SUM(compute) OVER device_order AS compute,
      SUM(collective) OVER device_order AS collective,
      SUM(copy) OVER device_order AS copy
    FROM change
    WINDOW device_order AS (PARTITION BY upid, device ORDER BY at)
  )
SELECT tpt_process_rank.rank, state.*
FROM state
LEFT JOIN tpt_process_rank USING (upid)
ORDER BY state.upid, state.device, state.ts;

-- Calls of the CUDA, HIP or XPU runtime and driver. What repairs trimmed is as recorded.
CREATE OR REPLACE PERFETTO TABLE tpt_call AS
WITH
  call AS (
    SELECT
      s.ts,
      COALESCE(
        CAST(ROUND(EXTRACT_ARG(s.arg_set_id, 'args.tpt_recorded_dur') * 1000) AS INT),
        CAST(ROUND(EXTRACT_ARG(s.arg_set_id, 'debug.args.tpt_recorded_dur') * 1000) AS INT),
        s.dur
      ) AS dur,
      s.name,
      tpt_process_rank.rank,
      tpt_row.upid,
      IIF(
        tpt_row.tid IS NULL,
        tpt_row.row_id,
        COALESCE(
          EXTRACT_ARG(s.arg_set_id, 'args.tpt_tid'),
          EXTRACT_ARG(s.arg_set_id, 'debug.args.tpt_tid'),
          tpt_row.tid
        )
      ) AS row_id,
      CAST(
        COALESCE(
          EXTRACT_ARG(s.arg_set_id, 'args.correlation'),
          EXTRACT_ARG(s.arg_set_id, 'debug.args.correlation')
        ) AS INT
      ) AS correlation
    FROM slice AS s
    CROSS JOIN tpt_row USING (track_id)
    LEFT JOIN tpt_process_rank USING (upid)
    WHERE
      s.category IN ('cuda_runtime', 'cuda_driver', 'xpu_runtime', 'Runtime')
  )
SELECT
  ((COALESCE(rank, 0) + 1) << 40) + NULLIF(correlation, 0) AS launch_key,
  ts,
  dur,
  ts + dur AS ts_end,
  name,
  rank,
  upid,
  row_id
FROM call
ORDER BY launch_key;

-- The call that launched GPU work, by the work's `launch_key`. Where several share it, the first.
CREATE OR REPLACE PERFETTO TABLE tpt_launch AS
SELECT launch_key, MIN(ts) AS ts, dur, ts_end, name, rank, upid, row_id
FROM tpt_call
WHERE
  launch_key IS NOT NULL
GROUP BY launch_key
ORDER BY launch_key;

-- The steps of each rank: ProfilerStep annotations; without them the outermost annotations of the
-- CPU (those of single collectives aside); without these the outermost ones of the GPU.
CREATE OR REPLACE PERFETTO TABLE tpt_step AS
WITH
  annotation AS (
    SELECT
      s.id,
      s.track_id,
      s.name,
      s.ts,
      s.ts + COALESCE(
        CAST(ROUND(EXTRACT_ARG(s.arg_set_id, 'args.tpt_recorded_dur') * 1000) AS INT),
        CAST(ROUND(EXTRACT_ARG(s.arg_set_id, 'debug.args.tpt_recorded_dur') * 1000) AS INT),
        s.dur
      ) AS ts_end,
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
-- launch, or steps of the GPU alone, the one in which it started.
CREATE OR REPLACE PERFETTO TABLE tpt_step_work AS
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

-- [[[end]]]

-- GPU work with its launch, and when it was launched at the latest.
CREATE OR REPLACE PERFETTO TABLE tpt_launched_work AS
SELECT
  work.*,
  step_work.seq AS step_seq,
  launch.ts AS launch_ts,
  launch.name AS launch_name,
  launch.row_id AS launch_row,
  launch.upid AS launch_upid,
  work.kind = 'copy' AND launch.ts_end >= work.ts_end AS is_blocking,
  IIF(
    work.kind = 'copy' AND launch.ts_end >= work.ts_end,
    launch.ts,
    MIN(launch.ts_end, work.ts)
  ) AS launched_by
FROM tpt_gpu_slice AS work
LEFT JOIN tpt_launch AS launch USING (launch_key)
LEFT JOIN tpt_step_work AS step_work USING (id)
ORDER BY work.id;

-- Each gap with the work that ended when it began, and the work that ended it. Of several the one
-- on the lowest stream stands for all.
CREATE OR REPLACE PERFETTO TABLE tpt_gap AS
WITH
  gap AS (
    SELECT ROW_NUMBER() OVER () AS gap_id, upid, device, ts, ts + dur AS ts_end
    FROM tpt_gpu_state
    WHERE
      compute = 0 AND collective = 0 AND copy = 0 AND dur > 0
  ),
  starting AS (
    SELECT
      upid,
      device,
      ts AS at,
      id,
      ROW_NUMBER() OVER (PARTITION BY upid, device, ts ORDER BY stream, name, id) AS place
    FROM tpt_gpu_slice
  ),
  ending AS (
    SELECT
      upid,
      device,
      ts_end AS at,
      id,
      ROW_NUMBER() OVER (PARTITION BY upid, device, ts_end ORDER BY stream, name, id) AS place
    FROM tpt_gpu_slice
  ),
  met AS (
    SELECT upid, device, ts AS at, gap_id AS begins, NULL AS ends, NULL AS before, NULL AS after
    FROM gap
    UNION ALL
    SELECT upid, device, ts_end, NULL, gap_id, NULL, NULL FROM gap
    UNION ALL
    SELECT upid, device, at, NULL, NULL, id, NULL FROM ending WHERE place = 1
    UNION ALL
    SELECT upid, device, at, NULL, NULL, NULL, id FROM starting WHERE place = 1
  ),
  moment AS (
    SELECT
      at,
      MAX(begins) AS begins,
      MAX(ends) AS ends,
      MAX(before) AS before_id,
      MAX(after) AS after_id
    FROM met
    GROUP BY upid, device, at
  ),
  side AS (
    SELECT begins AS gap_id, at AS ts, NULL AS ts_end, before_id, NULL AS after_id
    FROM moment
    WHERE
      begins IS NOT NULL
    UNION ALL
    SELECT ends, NULL, at, NULL, after_id FROM moment WHERE ends IS NOT NULL
  )
SELECT
  gap_id,
  MAX(ts) AS ts,
  MAX(ts_end) AS ts_end,
  MAX(before_id) AS before_id,
  MAX(after_id) AS after_id
FROM side
GROUP BY gap_id
ORDER BY gap_id;

-- The calls in which a thread waits for the GPU.
CREATE OR REPLACE PERFETTO TABLE tpt_wait AS
SELECT upid, row_id, ts, ts_end, name
FROM tpt_call
WHERE
  name GLOB '*Synchronize*'
  OR launch_key IN (SELECT launch_key FROM tpt_launched_work WHERE is_blocking)
ORDER BY upid, row_id, ts;

-- The wait, if any, in which the thread that ended the gap was when the gap began.
CREATE OR REPLACE PERFETTO TABLE tpt_gap_wait AS
WITH
  point AS (
    SELECT upid, row_id, ts AS at, 0 AS is_gap, ts_end, NULL AS gap_id FROM tpt_wait
    UNION ALL
    SELECT after.launch_upid, after.launch_row, gap.ts, 1, NULL, gap.gap_id
    FROM tpt_gap AS gap
    CROSS JOIN tpt_launched_work AS after ON after.id = gap.after_id
    WHERE
      after.launch_row IS NOT NULL
  ),
  latest AS (
    SELECT
      upid,
      row_id,
      at,
      gap_id,
      MAX(ts_end) OVER (
        PARTITION BY upid, row_id
        ORDER BY at, is_gap
        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
      ) AS ts_end
    FROM point
  ),
  wait AS MATERIALIZED (
    SELECT * FROM tpt_wait
  )
SELECT latest.gap_id, MIN(wait.name) AS name
FROM latest
CROSS JOIN wait
  ON wait.upid = latest.upid AND wait.row_id = latest.row_id AND wait.ts_end = latest.ts_end
WHERE
  latest.gap_id IS NOT NULL AND latest.ts_end > latest.at
GROUP BY latest.gap_id
ORDER BY latest.gap_id;

SELECT
  -- rank; NULL in the trace of one rank
  after.rank,
  -- device
  after.device,
  -- when the last work before it ended, ns
  gap.ts,
  -- how long nothing ran, ns
  gap.ts_end - gap.ts AS dur,
  -- dependency, end of step, sync or launch: see above; NULL where the trace has no launch call of
  -- the work after it
  CASE
    WHEN after.launch_ts IS NULL THEN NULL
    WHEN after.launched_by <= gap.ts OR after.launch_key = before.launch_key THEN 'dependency'
    WHEN after.step_seq IS NOT before.step_seq THEN 'end of step'
    WHEN wait.name IS NOT NULL THEN 'sync'
    ELSE 'launch'
  END AS why,
  -- name of the work that ended when the gap began
  before.name AS before,
  -- name of the work that ended the gap
  after.name AS after,
  -- stream of the work before
  before.stream AS before_stream,
  -- stream of the work after
  after.stream AS after_stream,
  -- start of the call that launched the work after, ns; NULL where the trace has none
  after.launch_ts,
  -- name of that call; NULL likewise
  after.launch_name,
  -- call in which its thread waited for the GPU when the gap began; NULL: in none, or it was
  -- launched before
  IIF(after.launched_by > gap.ts, wait.name, NULL) AS waited_in,
  -- id of the slice of the work after it in this trace; in the UI (v55 and later) a link to it
  after.id,
  -- id of its track in this trace
  after.track_id
FROM tpt_gap AS gap
CROSS JOIN tpt_launched_work AS before ON before.id = gap.before_id
CROSS JOIN tpt_launched_work AS after ON after.id = gap.after_id
LEFT JOIN tpt_gap_wait AS wait USING (gap_id)
ORDER BY dur DESC, after.rank, after.device, gap.ts;
