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
