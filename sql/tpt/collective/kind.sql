-- The kind of collective that a kernel or an annotation is.

-- The collective that a kernel is, by its name alone. Custom kernels are recognised by the name of
-- their function: the part between its namespaces and its template or arguments.
CREATE PERFETTO FUNCTION tpt_collective_by_name(
  -- Name of the kernel.
  name STRING
)
-- all_reduce, ...; unknown for a collective whose name does not say which, as RCCL has one kernel
-- for all; NULL: no collective.
RETURNS STRING AS
WITH
  -- materialized, else each pattern below takes the name apart once more: 0.8 ms for a name
  qualified AS MATERIALIZED (
    SELECT
      REGEXP_EXTRACT(
        REPLACE(
          IIF($name GLOB 'void *', SUBSTR($name, 6), $name), '(anonymous namespace)::', ''
        ),
        '^([^<( ]+)'
      ) AS path
  ),
  called AS MATERIALIZED (
    SELECT path, REGEXP_EXTRACT(path, '([^:]+)$') AS fn FROM qualified
  )
SELECT
  CASE
    -- not collectives, whatever follows: reductions within one device, metadata, buffers
    WHEN fn GLOB 'paged_attention*' OR fn GLOB '*splitKreduce*' OR fn GLOB 'kn_mla_reduce*'
      OR fn = 'reduce_kernel' OR fn GLOB 'triton_*_fused*' OR fn GLOB 'Device*'
      OR fn GLOB '*[Bb]lock*[Aa]ll*[Rr]educe*' OR fn GLOB '*[Ww]arp*[Aa]ll*[Rr]educe*'
      OR fn GLOB '*[Cc]luster*[Aa]ll*[Rr]educe*'
      OR path GLOB 'cub::*' OR path GLOB '*::cub::*' OR path GLOB 'hipcub::*'
      OR path GLOB '*rocprim::*' OR path GLOB 'thrust::*' OR fn GLOB '*Metadata*'
      OR fn GLOB 'EpDispatchCombineReset*' OR fn GLOB 'userbuffers_*_null' THEN NULL
    -- NCCL, RCCL, MSCCL
    WHEN fn GLOB 'nccl*Kernel*' OR fn GLOB 'msccl*Kernel*' THEN
      CASE
        WHEN fn GLOB '*AllReduce*' THEN 'all_reduce'
        WHEN fn GLOB '*ReduceScatter*' THEN 'reduce_scatter'
        WHEN fn GLOB '*AllGather*' THEN 'all_gather'
        WHEN fn GLOB '*AllToAll*' OR fn GLOB '*AlltoAll*' THEN 'all_to_all'
        WHEN fn GLOB '*SendRecv*' THEN 'send_recv'
        WHEN fn GLOB '*Broadcast*' THEN 'broadcast'
        WHEN fn GLOB '*Reduce*' THEN 'reduce'
        ELSE 'unknown'
      END
    -- TransformerEngine's userbuffers: ring messages, and sums whose suffix is the second half
    WHEN fn GLOB 'kuserbuffers_*sendrecv*' THEN 'send_recv'
    WHEN fn GLOB 'kuserbuffers_p*send*' THEN 'send'
    WHEN fn GLOB 'kuserbuffers_p*recv*' THEN 'recv'
    WHEN fn GLOB 'userbuffers_*_rs' OR fn GLOB 'userbuffers_*_rs_*' THEN 'reduce_scatter'
    WHEN fn GLOB 'userbuffers_*_ag' OR fn GLOB 'userbuffers_*_ag_*' THEN 'all_gather'
    WHEN fn GLOB 'userbuffers_*_sum_*' THEN 'all_reduce'
    -- vLLM, SGLang, AITER, PyTorch, TensorRT-LLM, FlashInfer, quickreduce
    WHEN fn GLOB 'cross_device_reduce_[12]stage*' OR fn GLOB '*[Aa]ll[Rr]educe*'
      OR fn GLOB '*[Aa]ll_[Rr]educe*' OR fn GLOB '_ZN*cross_device_reduce_[12]stage*'
      THEN 'all_reduce'
    WHEN fn GLOB '*[Rr]educe[Ss]catter*' OR fn GLOB '*[Rr]educe_[Ss]catter*' THEN 'reduce_scatter'
    WHEN fn GLOB '*[Aa]ll[Gg]ather*' OR fn GLOB '*[Aa]ll_[Gg]ather*' THEN 'all_gather'
    WHEN fn GLOB '*[Aa]ll[Tt]o[Aa]ll*' OR fn GLOB '*[Aa]ll_[Tt]o_[Aa]ll*' THEN 'all_to_all'
    -- PyTorch's symmetric memory
    WHEN path GLOB '*symmetric_memory::barrier_kernel' THEN 'barrier'
    -- NVSHMEM's own, which its host functions launch
    WHEN fn GLOB 'barrier_on_stream_kernel*' OR fn GLOB 'sync_on_stream_kernel*'
      OR fn GLOB 'sync_all_on_stream_kernel*' OR fn GLOB 'barrier_all_on_stream_kernel*'
      THEN 'barrier'
    WHEN fn GLOB 'rdxn_on_stream_kernel*' THEN 'all_reduce'
    WHEN fn GLOB 'fcollect_on_stream_kernel*' THEN 'all_gather'
    WHEN fn GLOB 'broadcast_on_stream_kernel*' THEN 'broadcast'
    -- DeepEP and its kin: the kernels that notify hold the barrier in which ranks wait. Those of
    -- its second version that end an exchange (epilogue) copy within the device
    WHEN path GLOB '*intranode::*' OR path GLOB '*internode::*' OR path GLOB '*internode_ll::*'
      OR path GLOB '*hybrid_ep::*' OR path GLOB '*deep_ep::elastic::*' THEN
      CASE
        WHEN fn GLOB '*layout*' OR fn GLOB '*preprocess*' OR fn GLOB '*permute*'
          OR fn GLOB '*epilogue*' THEN NULL
        WHEN fn GLOB '*dispatch*' THEN 'dispatch'
        WHEN fn GLOB '*combine*' THEN 'combine'
        -- before a combine, or before a dispatch whose layout is known
        WHEN fn = 'cached_notify' THEN 'unknown'
        WHEN fn GLOB 'barrier*' OR fn = 'device_sync_kernel' OR fn = 'clean_low_latency_buffer'
          THEN 'barrier'
      END
    -- TensorRT-LLM, mori, pplx
    WHEN fn GLOB 'moeA2ADispatch*' OR fn GLOB 'EpDispatch*' OR fn GLOB 'a2a_dispatch*'
      OR fn = 'dispatchKernel' THEN 'dispatch'
    WHEN fn GLOB 'moeA2ACombine*' OR fn GLOB 'EpCombine*' OR fn GLOB 'a2a_combine*'
      OR fn = 'combineKernel' THEN 'combine'
  END
FROM called;

-- The collective by the name that PyTorch or gloo gives it.
CREATE PERFETTO FUNCTION tpt_collective_by_arg(
  -- The argument `Collective name` of a kernel, or the name of an annotation of gloo.
  arg STRING
)
-- all_reduce, ..., also gather, scatter, send, recv, barrier; NULL: none of these.
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

-- By how much busbw is above algbw, as in nccl-tests (github.com/NVIDIA/nccl-tests,
-- doc/PERFORMANCE.md, and for gather, scatter and messages src/*.cu).
CREATE PERFETTO FUNCTION tpt_bus_factor(
  -- Which collective it is.
  kind STRING,
  -- How many ranks take part.
  ranks LONG
)
-- The factor; NULL where the kind has none, or ranks is NULL.
RETURNS DOUBLE AS
SELECT
  CASE $kind
    WHEN 'all_reduce' THEN 2.0 * ($ranks - 1) / $ranks
    WHEN 'all_gather' THEN 1.0 * ($ranks - 1) / $ranks
    WHEN 'reduce_scatter' THEN 1.0 * ($ranks - 1) / $ranks
    WHEN 'all_to_all' THEN 1.0 * ($ranks - 1) / $ranks
    WHEN 'gather' THEN 1.0 * ($ranks - 1) / $ranks
    WHEN 'scatter' THEN 1.0 * ($ranks - 1) / $ranks
    WHEN 'broadcast' THEN 1.0
    WHEN 'reduce' THEN 1.0
    WHEN 'send_recv' THEN 1.0
  END;
