-- The family of a kernel by its name: GEMM, attention, norm, ... The rules stand here alone.

INCLUDE PERFETTO MODULE tpt.gpu_slice;

-- The family of a kernel that is no collective. The function with its namespaces decides;
-- of a wrapper (ATen's elementwise kernels, CUTLASS' Kernel, mangled names) all of the name. Of a
-- fused kernel the first family of the list that its name says: an attention kernel that rotates is
-- attention.
CREATE PERFETTO FUNCTION tpt_kernel_family(
  -- Name of the kernel.
  name STRING
)
-- attention, kv cache, moe routing, grouped gemm, convolution, gemm, rope, norm, quantisation,
-- embedding, optimizer, recurrent, softmax, sort, pooling, layout, reduction, elementwise, copy;
-- other: no rule knows the name.
RETURNS STRING AS
WITH
  -- materialized, else each pattern below unfolds all of the name once more: 7 ms for a name
  declared AS MATERIALIZED (
    SELECT
      REPLACE(
        REPLACE(
          REPLACE(
            LOWER(IIF($name GLOB 'void *', SUBSTR($name, 6), $name)), '(anonymous namespace)::', ''
          ),
          '<unnamed>::',
          ''
        ),
        'fbgemm', -- a library whose kernels are not GEMMs because of its name
        'fb'
      ) AS text
  ),
  qualified AS MATERIALIZED (
    SELECT
      text,
      COALESCE(
        REGEXP_EXTRACT(text, '^std::enable_if<.*, void>::type ([^<( ]+)'),
        REGEXP_EXTRACT(text, '^([^<( ]+)'),
        text
      ) AS path
    FROM declared
  ),
  called AS MATERIALIZED (
    SELECT text, path, COALESCE(REGEXP_EXTRACT(path, '([^:]+)$'), path) AS fn FROM qualified
  ),
  subject AS MATERIALIZED (
    SELECT
      text,
      fn,
      IIF(
        text GLOB '_z*' OR path GLOB 'cutlass*' OR path GLOB 'ck*::*' OR path GLOB '*::kernel'
        OR fn IN ('kernel', 'device_kernel', 'run', 'trampoline_kernel'),
        text,
        path
      ) AS said
    FROM called
  )
SELECT
  CASE
    WHEN text GLOB '__amd_rocclr_*buffer*' OR text GLOB 'mem[cs]*' THEN 'copy'
    -- ATen's loops over elements, by their functor
    WHEN fn GLOB '*elementwise*kernel*' OR fn = 'multi_tensor_apply_kernel' THEN
      CASE
        WHEN text GLOB '*adam*' OR text GLOB '*lambfunctor*' OR text GLOB '*lambstage*'
          OR text GLOB '*sgdfunctor*' OR text GLOB '*fusedsgd*' THEN 'optimizer'
        WHEN text GLOB '*batch_norm*' OR text GLOB '*layer_norm*' OR text GLOB '*group_norm*'
          THEN 'norm'
        WHEN text GLOB '*hfp8*' OR text GLOB '*quantize*' THEN 'quantisation'
        WHEN fn GLOB 'index_elementwise*' OR fn GLOB '_scatter_gather*'
          OR text GLOB '*gpu_index_kernel*' THEN 'layout'
        ELSE 'elementwise'
      END
    -- kernels of TorchInductor: their names list the fused ops in alphabetical order
    WHEN fn GLOB 'triton_[a-z]*_fused*' THEN
      CASE
        WHEN fn GLOB '*tem_fused*attention*' THEN 'attention'
        WHEN fn GLOB '*tem_fused*conv*' THEN 'convolution'
        WHEN fn GLOB '*tem_fused*mm*' THEN 'gemm'
        WHEN fn GLOB '*_norm*' OR fn GLOB '*mean*rsqrt*' OR fn GLOB '*rsqrt*var*' THEN 'norm'
        WHEN fn GLOB '*softmax*' THEN 'softmax'
        WHEN fn GLOB 'triton_red_*' OR fn GLOB 'triton_per_*' THEN 'reduction'
        WHEN fn GLOB 'triton_poi_*' OR fn GLOB 'triton_for_*' THEN 'elementwise'
        ELSE 'other'
      END
    -- the cache of keys and values that attention reads
    WHEN fn GLOB '*_and_cache*' OR fn GLOB '*kv_cache*' OR fn GLOB '*kvcache*'
      OR fn GLOB '*kv_buffer*' OR fn GLOB '*paged_kv*' OR fn GLOB '*kv_indices*'
      OR fn GLOB '*pagedkv*append*' OR fn GLOB 'copy_blocks_kernel*' THEN 'kv cache'
    -- FlashAttention, FlashInfer, TensorRT-LLM, CK, Triton
    WHEN said GLOB '*flash_[fb]wd*' OR said GLOB '*flashattn*' OR said GLOB '*fmha*'
      OR said GLOB '*attention*' OR fn GLOB '*attn*' OR fn GLOB '*_mha_*' OR fn GLOB 'mha_*'
      OR fn GLOB '*_mla_*' OR fn GLOB 'mla_*' OR fn GLOB '*::mla*' OR said GLOB '*flash_mla*'
      OR fn GLOB '*batchprefill*' OR fn GLOB '*batchdecode*' OR fn GLOB '*singleprefill*'
      OR fn GLOB '*singledecode*' OR fn GLOB '*mergestate*' OR fn GLOB 'merge_state*'
      OR fn GLOB '_fwd_*kernel_stage[12]' OR fn GLOB '*sdpa*' OR fn = '_fwd_kernel' THEN
      'attention'
    -- mixture of experts: the products, and the kernels that sort tokens by expert
    WHEN fn GLOB '*fused_moe_kernel*' OR fn GLOB '*moe*gemm*' OR fn GLOB '*moe_stage[12]*'
      OR fn GLOB 'fmoe_*' OR fn GLOB '*_moe_wna16*' OR fn GLOB '_matmul_ogs*'
      OR said GLOB '*gemmgrouped*' OR said GLOB '*groupproblemshape*'
      OR said GLOB '*grouped_gemm*' OR said GLOB '*groupedgemm*' OR said GLOB '*moe_gemm*'
      OR said GLOB '*moegemm*' OR said GLOB '*moeflatmm*' OR said GLOB '*grouped_mm*'
      OR (fn GLOB '*gemm*' AND text GLOB '*mgrouped*') OR fn GLOB '*group_gemm*' THEN
      'grouped gemm'
    WHEN said GLOB '*moe*' OR fn GLOB '*topkgating*' OR fn GLOB '*grouped_topk*'
      OR fn GLOB '*expert*' OR fn GLOB 'routing*' OR fn GLOB '_*routing_*'
      OR fn GLOB '_topk_forward*' OR fn GLOB '*bitmatrix*' OR fn GLOB '*_ep_scatter*'
      OR fn GLOB '*_ep_gather*' OR fn GLOB '_expt_data_*' OR fn GLOB '*topk_softmax*'
      OR said GLOB '*expandinputrows*' THEN 'moe routing'
    WHEN fn GLOB '*rotary*' OR fn GLOB '*rope*' THEN
      IIF(fn GLOB '*norm*', 'norm', 'rope')
    WHEN said GLOB '*convolution*' OR said GLOB '*convolve*' OR said GLOB '*_conv_*'
      OR said GLOB '*conv[123]d*' OR (fn GLOB '*conv*' AND NOT fn GLOB '*convert*')
      OR said GLOB '*wgrad*' OR said GLOB '*dgrad*' OR said GLOB '*fprop*'
      OR said GLOB '*winograd*' OR said GLOB '*scudnn*' OR said GLOB '*implicit_gemm*'
      OR said GLOB '*im2col*' OR said GLOB '*col2im*' OR fn GLOB 'im2d2col*' OR fn GLOB 'igemm_*'
      OR fn GLOB '*bwd_weight*' OR fn GLOB '*bwd_data*' OR said GLOB 'cudnn::cnn::*'
      OR said GLOB 'cask_cudnn*' OR (said GLOB 'cutlass_cudnn*' AND said GLOB '*splitk*')
      OR fn GLOB 'fft2d_*' THEN 'convolution'
    WHEN said GLOB '*gemm*' OR said GLOB '*gemv*' OR said GLOB '*matmul*' OR fn GLOB 'cijk_*'
      OR fn GLOB 'nvjet*' OR fn GLOB '*splitkreduce*' OR fn GLOB '*splitk_reduce*'
      OR fn GLOB 'bmm_*' OR fn GLOB '*_mm_kernel*' OR fn GLOB '*scaled_mm*'
      OR fn GLOB '*marlin*' OR fn GLOB '*wvsplitk*' OR said GLOB 'cublas*'
      OR said GLOB 'epilogue::impl::*' OR fn IN ('dot_kernel', 'reduce_1block_kernel') THEN 'gemm'
    WHEN (fn GLOB '*norm*' AND NOT fn GLOB '*normal*') OR said GLOB '*layernorm*'
      OR said GLOB '*layer_norm*' OR said GLOB '*rmsnorm*' OR said GLOB '*rms_norm*'
      OR fn GLOB 'bn_[fb]w*' OR fn GLOB 'ln_[fb]wd*' OR fn GLOB '*rowwisemoments*'
      OR fn GLOB '*gammabeta*' OR fn GLOB '*fusedparams*' OR fn GLOB 'cucomputegradinput*' THEN
      'norm'
    WHEN fn GLOB '*quant*' OR fn GLOB '*fp8rowwise*' OR fn GLOB '*to_fp[48]*'
      OR fn GLOB '*_amax*' OR fn GLOB '*hfp8*' OR fn GLOB '*_qparam_*' THEN
      'quantisation'
    WHEN fn GLOB '*embedding*' OR fn GLOB '*_embs_*' OR fn GLOB '*jagged*'
      OR fn GLOB 'bounds_check_indices*' THEN 'embedding'
    WHEN fn GLOB '*adam*' OR fn GLOB '*_lamb_*' OR fn GLOB '*fused_sgd*' OR fn GLOB '*fusedsgd*'
      THEN 'optimizer'
    WHEN fn GLOB '*lstm*' OR fn GLOB '*rnn*' OR fn GLOB '*selective_scan*' OR fn GLOB '*mamba*'
      OR fn GLOB '_chunk_scan*' OR fn GLOB '_chunk_state*' OR fn GLOB '*delta_rule*'
      OR fn GLOB '_state_passing*' OR fn GLOB '*selective_state*' THEN 'recurrent'
    WHEN fn GLOB '*softmax*' OR fn GLOB '*nll_loss*' OR fn GLOB '*cross_entropy*'
      OR fn GLOB '*nllcriterion*' THEN 'softmax'
    WHEN fn GLOB '*sort*' OR fn GLOB '*topk*' OR fn GLOB '*scan*' OR fn GLOB '*sampling*'
      OR fn GLOB '*multinomial*' OR fn GLOB '*unique*' OR fn GLOB '*devicerunlength*'
      OR fn GLOB '*deviceselect*' OR fn GLOB '*bucketize*' OR fn GLOB '*searchsorted*'
      OR (fn = 'trampoline_kernel' AND (text GLOB '*scan*' OR text GLOB '*sort*')) THEN 'sort'
    WHEN fn GLOB '*pool*' OR fn GLOB '*upsample*' OR fn GLOB '*interpolate*' THEN 'pooling'
    WHEN fn GLOB '*transpose*' OR fn GLOB '*permute*' OR fn GLOB 'catarray*' OR fn GLOB '*gather*'
      OR fn GLOB '*scatter*' OR fn GLOB '*index*' OR fn GLOB '*nhwc*' OR fn GLOB '*nchw*'
      OR fn GLOB '*_pad*' OR fn GLOB 'triu_*' OR fn GLOB '*flip*' OR fn GLOB '*copy*' THEN 'layout'
    WHEN fn GLOB '*reduce*' OR fn GLOB '*argm[ai][xn]*' OR fn GLOB '*_sum_*'
      OR (fn = 'trampoline_kernel' AND text GLOB '*reduce*') THEN 'reduction'
    WHEN fn GLOB '*act_and_mul*' OR fn GLOB '*silu*' OR fn GLOB '*gelu*' OR fn GLOB '*swiglu*'
      OR fn GLOB '*pointwise*' OR fn GLOB '*fill*' OR fn GLOB '*dropout*' OR fn GLOB '*optensor*'
      OR fn GLOB 'scalepackedtensor*'
      OR fn GLOB 'subtensorop*' OR fn GLOB '*_cast_*' OR fn GLOB '*convert*'
      OR fn GLOB '*distribution_nullary*' THEN 'elementwise'
    ELSE 'other'
  END
FROM subject;

-- Whether a kernel is a product of fp32 (GEMM, convolution) that no tensor core computes, as names
-- of NVIDIA's libraries say: sgemm of cuBLAS and CUTLASS (s884, s1688 and tensorop are others),
-- scudnn and the engines in float of cuDNN. Other names say nothing of it. None of them is on the
-- list of kernels that use tensor cores of NVIDIA's PyProf (pyprof/prof/tc.py), which PyTorch's
-- TensorBoard plugin has.
CREATE PERFETTO FUNCTION tpt_is_plain_product(
  -- Name of the kernel.
  name STRING
)
RETURNS BOOL AS
WITH
  lowered AS MATERIALIZED (
    SELECT LOWER($name) AS text
  )
SELECT
  text GLOB '*_sgemm_*' OR text GLOB '*_scudnn_*' OR text GLOB '*convolve_sgemm<float,*'
  OR text GLOB '*dgrad_engine<float,*' OR text GLOB '*wgrad_alg[0-9]_engine<float,*'
  OR text GLOB '*cudnn::winograd_nonfused::*<float, float>*'
FROM lowered;

-- Each name of GPU work with its family.
CREATE PERFETTO TABLE tpt_name_family(
  -- Name of the kernel, or the profiler's name of the copy.
  name STRING,
  -- compute, collective, or copy (a memset too).
  kind STRING,
  -- As `tpt_kernel_family()` says; communication: collectives; copy: copies and memsets.
  family STRING,
  -- As `tpt_is_plain_product()` says of a kernel that is no collective.
  is_plain_product BOOL
) AS
SELECT
  name,
  kind,
  CASE kind
    WHEN 'collective' THEN 'communication'
    WHEN 'copy' THEN 'copy'
    ELSE tpt_kernel_family(name)
  END AS family,
  kind = 'compute' AND tpt_is_plain_product(name) AS is_plain_product
FROM (SELECT DISTINCT name, kind FROM tpt_gpu_slice)
ORDER BY name, kind;
