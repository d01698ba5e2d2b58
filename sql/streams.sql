-- GPU streams: what ran on each, for how long, and how much of that beside other streams.
--
-- Grain: one row per rank, device and stream.
-- Scope: rank
-- Needs: kernel, gpu_memcpy, gpu_memset

-- [[[cog shared("gpu_slice") ]]]

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

-- [[[end]]]

-- When each stream was busy: pieces that touch but do not overlap on their stream.
CREATE OR REPLACE PERFETTO TABLE tpt_stream_busy AS
WITH
  edge AS (
    SELECT upid, device, stream, ts AS at, 1 AS step FROM tpt_gpu_slice
    UNION ALL
    SELECT upid, device, stream, ts_end, -1 FROM tpt_gpu_slice
  ),
  change AS (
    SELECT upid, device, stream, at, SUM(step) AS step
    FROM edge
    GROUP BY upid, device, stream, at
  ),
  state AS (
    SELECT
      upid,
      device,
      stream,
      at AS ts,
      LEAD(at) OVER stream_order AS ts_end,
      SUM(step) OVER stream_order AS running
    FROM change
    WINDOW stream_order AS (PARTITION BY upid, device, stream ORDER BY at)
  )
SELECT upid, device, stream, ts, ts_end
FROM state
WHERE
  running > 0
ORDER BY upid, device, ts, stream;

-- At each moment where a stream begins or ends to be busy: for how long several streams were busy
-- until then, since the first of all.
CREATE OR REPLACE PERFETTO TABLE tpt_shared_until AS
WITH
  edge AS (
    SELECT upid, device, ts AS at, 1 AS step FROM tpt_stream_busy
    UNION ALL
    SELECT upid, device, ts_end, -1 FROM tpt_stream_busy
  ),
  change AS (
    SELECT upid, device, at, SUM(step) AS step FROM edge GROUP BY upid, device, at
  ),
  state AS (
    SELECT
      upid,
      device,
      at,
      LEAD(at) OVER device_order - at AS dur,
      SUM(step) OVER device_order AS streams
    FROM change
    WINDOW device_order AS (PARTITION BY upid, device ORDER BY at)
  )
SELECT
  upid,
  device,
  at,
  COALESCE(
    SUM(IIF(streams > 1, dur, 0)) OVER (
      PARTITION BY upid, device ORDER BY at ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ),
    0
  ) AS shared_ns
FROM state
ORDER BY upid, device, at;

WITH
  until AS MATERIALIZED (
    SELECT * FROM tpt_shared_until
  ),
  busy AS (
    SELECT
      b.upid,
      b.device,
      b.stream,
      SUM(b.ts_end - b.ts) AS busy_ns,
      SUM(z.shared_ns - a.shared_ns) AS overlap_ns
    FROM tpt_stream_busy AS b
    CROSS JOIN until AS a ON a.upid = b.upid AND a.device = b.device AND a.at = b.ts
    CROSS JOIN until AS z ON z.upid = b.upid AND z.device = b.device AND z.at = b.ts_end
    GROUP BY b.upid, b.device, b.stream
  ),
  work AS (
    SELECT
      rank,
      upid,
      device,
      stream,
      COUNT(*) AS events,
      COUNT(collective) AS collectives,
      MIN(ts) AS ts,
      MAX(ts_end) AS ts_end,
      SUM(dur) AS total_ns
    FROM tpt_gpu_slice
    GROUP BY upid, device, stream
  )
SELECT
  -- rank; NULL in the trace of one rank
  work.rank,
  -- device
  work.device,
  -- stream
  work.stream,
  -- kernels, copies and memsets on it
  work.events,
  -- how many of them are collectives
  work.collectives,
  -- start of the first, ns
  work.ts AS first_ts,
  -- end of the last, ns
  work.ts_end AS last_ts,
  -- at least one ran, ns
  COALESCE(busy.busy_ns, 0) AS busy_ns,
  -- of that, while another stream of the device was busy too, ns
  COALESCE(busy.overlap_ns, 0) AS overlap_ns,
  -- their durations, summed, ns; more than busy_ns where kernels of this stream overlap
  work.total_ns
FROM work
LEFT JOIN busy USING (upid, device, stream)
ORDER BY work.rank, work.device, busy_ns DESC, work.stream;
