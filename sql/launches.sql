-- Launch delays: when the CPU launched each piece of GPU work, and how long that waited to start.
--
-- A small delay with an empty queue means that the GPU waits for the CPU; a long one with a deep
-- queue, that the CPU is far ahead. Under a graph all kernels come from one call.
--
-- Grain: one row per kernel, copy or memset.
-- Scope: rank
-- Needs: kernel, gpu_memcpy, gpu_memset, cuda_runtime, cuda_driver, xpu_runtime

-- [[[cog shared("gpu_slice", "launch") ]]]

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

-- [[[end]]]

CREATE OR REPLACE PERFETTO TABLE tpt_launched AS
SELECT
  work.*,
  launch.ts AS launch_ts,
  launch.dur AS launch_dur,
  launch.name AS launch_name,
  COALESCE(
    EXTRACT_ARG(slice.arg_set_id, 'args.graph id'),
    EXTRACT_ARG(slice.arg_set_id, 'debug.args.graph id')
  ) AS graph_id
FROM tpt_gpu_slice AS work
CROSS JOIN slice USING (id)
LEFT JOIN tpt_launch AS launch USING (launch_key)
ORDER BY work.id;

WITH
  edge AS (
    SELECT id, upid, device, stream, launch_ts AS at, 1 AS step
    FROM tpt_launched
    WHERE
      launch_ts IS NOT NULL
    UNION ALL
    SELECT NULL, upid, device, stream, MAX(ts, launch_ts), -1
    FROM tpt_launched
    WHERE
      launch_ts IS NOT NULL
  ),
  queue AS (
    SELECT
      id,
      COALESCE(
        SUM(step) OVER (
          PARTITION BY upid, device, stream
          ORDER BY at
          RANGE BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ),
        0
      ) AS depth
    FROM edge
  )
SELECT
  -- rank; NULL in the trace of one rank
  work.rank,
  -- device
  work.device,
  -- stream
  work.stream,
  -- start of the work, ns
  work.ts,
  -- its duration, ns
  work.dur,
  -- its name
  work.name,
  -- compute, collective, or copy (a memset too)
  work.kind,
  -- start of the call that launched it, ns; NULL where the trace has no such call
  work.launch_ts,
  -- duration of that call, ns; NULL likewise
  work.launch_dur,
  -- name of that call; NULL likewise
  work.launch_name,
  -- from the start of the call to the start of the work, ns; NULL likewise. Below 0 the clocks of
  -- CPU and GPU differ, or the recorder rounded
  work.ts - work.launch_ts AS delay_ns,
  -- work on the stream whose launch began before this one and that had not started by then; NULL
  -- likewise
  queue.depth AS queue_depth,
  -- 1: launched as part of a graph, 0: by itself; NULL where nothing tells
  CASE
    WHEN work.graph_id > 0 OR work.launch_name GLOB '*GraphLaunch*' THEN 1
    WHEN work.launch_name IS NOT NULL THEN 0
  END AS is_graph,
  -- id of its slice in this trace; in the UI (v55 and later) a link to it
  work.id,
  -- id of its track in this trace
  work.track_id
FROM tpt_launched AS work
LEFT JOIN queue USING (id)
ORDER BY work.ts, work.rank, work.device, work.stream, work.name;
