-- Names of annotations that say what they mark.

-- Whether an annotation is one round of an inference engine: `execute_...` (vLLM and others),
-- `step[` (SGLang), `_forward_step` (TensorRT-LLM).
CREATE PERFETTO FUNCTION tpt_is_iteration(
  -- Name of the annotation.
  name STRING
)
RETURNS BOOL AS
SELECT
  $name GLOB 'execute_*'
  OR $name GLOB 'step[[]*'
  OR $name GLOB '_forward_step*'
  OR $name GLOB '[[]Executor] _forward_step*';

-- Whether PyTorch itself writes an annotation of this name, or NCCL by NVTX: it marks a part of a
-- step, a collective or compiled code, never a step.
CREATE PERFETTO FUNCTION tpt_is_part_of_step(
  -- Name of the annotation.
  name STRING
)
RETURNS BOOL AS
SELECT
  $name GLOB 'enumerate(*'
  OR $name GLOB 'Optimizer.*'
  OR $name GLOB 'DataParallel.*'
  OR $name GLOB 'DistributedDataParallel.*'
  OR $name GLOB 'FullyShardedDataParallel.*'
  OR $name GLOB 'FSDP::*'
  OR $name GLOB 'torch.distributed*'
  OR $name GLOB 'c10d::*'
  OR $name GLOB 'nccl:*'
  OR $name GLOB 'nccl[A-Z]*'
  OR $name GLOB 'gloo:*'
  OR $name GLOB 'ucc:*'
  OR $name GLOB 'mpi:*'
  OR $name GLOB 'xccl:*'
  OR $name GLOB 'Torch-Compiled Region*'
  OR $name GLOB 'TorchDynamo *'
  OR $name GLOB 'CompiledFunction*'
  OR $name GLOB 'autograd::*'
  OR $name GLOB 'PyTorch Profiler*'
  OR $name GLOB '##*';
