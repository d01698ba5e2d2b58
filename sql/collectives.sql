-- Collectives of a rank: each kernel that communicates, with its process group and size.
--
-- What only args can tell is NULL where the kernel carries none: under CUDA graphs, in custom
-- all-reduces, in old traces.
--
-- Grain: one row per collective kernel on a rank.
-- Scope: rank
-- Needs: kernel

-- [[[cog shared("gpu_slice", "collective") ]]]

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

-- Bytes of an element, by PyTorch's name of its type; NULL: unknown. Packed types are 1 byte.
CREATE OR REPLACE PERFETTO FUNCTION tpt_dtype_bytes(dtype STRING)
RETURNS LONG AS
SELECT
  CASE
    WHEN $dtype IN ('ComplexDouble') THEN 16
    WHEN $dtype IN ('Double', 'Long', 'UInt64', 'ComplexFloat') THEN 8
    WHEN $dtype IN ('Float', 'Int', 'UInt32', 'QInt32', 'ComplexHalf') THEN 4
    WHEN $dtype IN ('Half', 'BFloat16', 'Short', 'UInt16', 'Bits16') THEN 2
    WHEN $dtype IN ('Byte', 'Char', 'Bool', 'QInt8', 'QUInt8', 'QUInt4x2', 'QUInt2x4', 'Bits8')
      OR $dtype GLOB 'Float8_*' OR $dtype GLOB 'Float4_*_x2' OR $dtype GLOB 'Bits[124]x*'
      OR $dtype GLOB 'Int[1-7]' OR $dtype GLOB 'UInt[1-7]' THEN 1
  END;

-- Collectives, with what the profiler says about them. All that is told by args is NULL where the
-- kernel has none: in graphs, and in custom kernels.
CREATE OR REPLACE PERFETTO TABLE tpt_collective AS
WITH
  found AS (
    SELECT
      work.*,
      slice.arg_set_id AS args,
      IIF(
        EXTRACT_ARG(slice.arg_set_id, 'debug.args.device') IS NULL, 'args.', 'debug.args.'
      ) AS prefix
    FROM tpt_gpu_slice AS work
    CROSS JOIN slice USING (id)
    WHERE
      work.collective IS NOT NULL
  ),
  told AS (
    SELECT
      found.*,
      EXTRACT_ARG(args, prefix || 'Collective name') AS collective_name,
      CAST(EXTRACT_ARG(args, prefix || 'Process Group Name') AS TEXT) AS process_group,
      EXTRACT_ARG(args, prefix || 'Process Group Description') AS process_group_desc,
      EXTRACT_ARG(args, prefix || 'Process Group Ranks') AS ranks,
      CAST(EXTRACT_ARG(args, prefix || 'Group size') AS INT) AS group_size,
      CAST(EXTRACT_ARG(args, prefix || 'Seq') AS INT) AS seq,
      -- above 2^63 a number does not survive the import of JSON: it becomes a negative float
      IIF(
        TYPEOF(EXTRACT_ARG(args, prefix || 'Comms Id')) IN ('text', 'integer'),
        CAST(EXTRACT_ARG(args, prefix || 'Comms Id') AS TEXT),
        NULL
      ) AS comms_id,
      CAST(EXTRACT_ARG(args, prefix || 'Src Rank') AS INT) AS src_rank,
      CAST(EXTRACT_ARG(args, prefix || 'Dst Rank') AS INT) AS dst_rank,
      EXTRACT_ARG(args, prefix || 'dtype') AS dtype,
      CAST(EXTRACT_ARG(args, prefix || 'In msg nelems') AS INT) AS in_elements,
      CAST(EXTRACT_ARG(args, prefix || 'Out msg nelems') AS INT) AS out_elements
    FROM found
  )
SELECT
  id,
  ts,
  dur,
  ts_end,
  name,
  track_id,
  rank,
  upid,
  device,
  stream,
  launch_key,
  collective,
  IIF(collective_name IS NULL, 'name', 'args') AS recognised_by,
  process_group,
  process_group_desc,
  ranks,
  group_size,
  seq,
  comms_id,
  src_rank,
  dst_rank,
  dtype,
  in_elements * tpt_dtype_bytes(dtype) AS in_bytes,
  out_elements * tpt_dtype_bytes(dtype) AS out_bytes
FROM told
ORDER BY id;

-- [[[end]]]

SELECT
  -- rank; NULL in the trace of one rank
  rank,
  -- device
  device,
  -- stream
  stream,
  -- its start, ns
  ts,
  -- its duration, ns
  dur,
  -- all_reduce, all_gather, reduce_scatter, all_to_all, broadcast, reduce, gather, scatter, send,
  -- recv, send_recv, barrier, dispatch, combine; unknown where its name does not say
  collective AS kind,
  -- args: the profiler says that it is a collective; name: only the kernel's name does
  recognised_by,
  -- name of its process group; NULL without args
  process_group,
  -- description of its process group; NULL without args
  process_group_desc,
  -- its number within the process group; NULL where the profiler does not give one
  seq,
  -- how many ranks take part; NULL without args
  group_size,
  -- which ranks, as the profiler writes it: past 30 it is cut; NULL without args
  ranks,
  -- bytes that the rank puts in; NULL without args, or where the size of the dtype is unknown
  in_bytes,
  -- bytes that the rank gets out; NULL like in_bytes
  out_bytes,
  -- PyTorch's name of the element type; NULL without args
  dtype,
  -- name of the kernel
  name,
  -- id of its slice in this trace; in the UI (v55 and later) a link to it
  id,
  -- id of its track in this trace
  track_id
FROM tpt_collective
ORDER BY ts, rank, device, stream;
