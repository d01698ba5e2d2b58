-- Ops whose work follows from the shapes of their inputs: which input is what.

-- Positions are those of the ops' schemas, from 0 on: aten/src/ATen/native/native_functions.yaml of
-- PyTorch, flash_attn/flash_attn_interface.py of FlashAttention, and
-- vllm/model_executor/layers/fused_moe/fused_moe.py and csrc/torch_bindings.cpp of vLLM. -1: the op
-- has no such input. Ops with a formula for one direction only have no row for the other.
CREATE PERFETTO TABLE tpt_op_rule(
  -- Name of the op.
  name STRING,
  -- gemm, grouped gemm, attention, convolution, norm, softmax, reduction, elementwise.
  kind STRING,
  -- The formula, see tpt.op_cost.
  form STRING,
  -- First input: left matrix, query, input of the convolution, operand.
  a LONG,
  -- Second input: right matrix, key, weight, operand.
  b LONG,
  -- Third input: bias, value, operand.
  c LONG,
  -- Attention: is_causal. Convolution: stride, followed by padding and dilation. Scaled product:
  -- type of the output. Norm: whether it trains. Softmax: whether half becomes float. Reduction:
  -- dimensions that it takes away.
  d LONG,
  -- Attention: ends of the sequences of a packed batch. Convolution: transposed, followed by output
  -- padding, groups and, backward, which gradients are asked for. Grouped products: ends of the
  -- groups. Mixture of experts: ids of the experts of each token.
  e LONG,
  -- Attention: how many keys before its own a query sees at most, followed by how many after.
  w LONG
) AS
WITH
  rule(name, kind, form, a, b, c, d, e) AS (
    VALUES
      ('aten::mm', 'gemm', 'mm', 0, 1, -1, -1, -1),
      ('aten::_int_mm', 'gemm', 'mm int', 0, 1, -1, -1, -1),
      ('aten::addmm', 'gemm', 'mm', 1, 2, 0, -1, -1),
      ('aten::addmm_', 'gemm', 'mm', 1, 2, 0, -1, -1),
      ('aten::_addmm_activation', 'gemm', 'mm', 1, 2, 0, -1, -1),
      ('aten::_scaled_mm', 'gemm', 'mm scaled', 0, 1, 4, 6, -1),
      ('aten::bmm', 'gemm', 'bmm', 0, 1, -1, -1, -1),
      ('aten::baddbmm', 'gemm', 'bmm', 1, 2, 0, -1, -1),
      ('aten::baddbmm_', 'gemm', 'bmm', 1, 2, 0, -1, -1),
      ('aten::linear', 'gemm', 'linear', 0, 1, 2, -1, -1),
      ('aten::mv', 'gemm', 'mv', 0, 1, -1, -1, -1),
      ('aten::addmv', 'gemm', 'mv', 1, 2, 0, -1, -1),
      ('aten::addmv_', 'gemm', 'mv', 1, 2, 0, -1, -1),
      ('aten::_grouped_mm', 'grouped gemm', 'grouped', 0, 1, -1, -1, 2),
      ('aten::_scaled_grouped_mm', 'grouped gemm', 'grouped scaled', 0, 1, -1, 7, 4),
      ('vllm::inplace_fused_experts', 'grouped gemm', 'experts', 0, 1, 2, -1, 4),
      ('vllm::outplace_fused_experts', 'grouped gemm', 'experts', 0, 1, 2, -1, 4),
      ('sglang::inplace_fused_experts', 'grouped gemm', 'experts', 0, 1, 2, -1, 4),
      ('sglang::outplace_fused_experts', 'grouped gemm', 'experts', 0, 1, 2, -1, 4),
      ('aten::_scaled_dot_product_flash_attention', 'attention', 'bhnd', 0, 1, 2, 4, -1),
      ('aten::_scaled_dot_product_efficient_attention', 'attention', 'bhnd', 0, 1, 2, 6, -1),
      ('aten::_scaled_dot_product_cudnn_attention', 'attention', 'bhnd', 0, 1, 2, 6, -1),
      ('aten::_flash_attention_forward', 'attention', 'bnhd', 0, 1, 2, 8, 3),
      ('flash_attn::_flash_attn_forward', 'attention', 'bnhd', 0, 1, 2, 5, -1),
      ('flash_attn::_flash_attn_varlen_forward', 'attention', 'bnhd', 0, 1, 2, 9, 3),
      (
        'aten::_scaled_dot_product_flash_attention_backward',
        'attention',
        'bhnd backward',
        1,
        2,
        3,
        11,
        -1
      ),
      ('aten::_flash_attention_backward', 'attention', 'bnhd backward', 1, 2, 3, 11, 6),
      ('flash_attn::_flash_attn_backward', 'attention', 'bnhd backward', 1, 2, 3, 11, -1),
      ('vllm::unified_attention_with_output', 'attention', 'paged', 0, 1, 2, -1, -1),
      ('vllm::unified_attention', 'attention', 'paged', 0, 1, 2, -1, -1),
      ('aten::convolution', 'convolution', 'forward', 0, 1, 2, 3, 6),
      ('aten::_convolution', 'convolution', 'forward', 0, 1, 2, 3, 6),
      ('aten::convolution_backward', 'convolution', 'backward', 1, 2, 0, 4, 7),
      ('aten::native_batch_norm', 'norm', 'batch', 0, 1, 2, 5, -1),
      ('aten::cudnn_batch_norm', 'norm', 'batch', 0, 1, 2, 5, -1),
      ('aten::miopen_batch_norm', 'norm', 'batch', 0, 1, 2, 5, -1),
      ('aten::native_batch_norm_backward', 'norm', 'backward', 0, 1, 2, -1, -1),
      ('aten::cudnn_batch_norm_backward', 'norm', 'backward', 0, 1, 2, -1, -1),
      ('aten::miopen_batch_norm_backward', 'norm', 'backward', 0, 1, 2, -1, -1),
      ('aten::native_layer_norm', 'norm', 'layer', 0, 2, 3, -1, -1),
      ('aten::native_layer_norm_backward', 'norm', 'backward', 0, 1, 5, -1, -1),
      ('aten::native_group_norm', 'norm', 'layer', 0, 1, 2, -1, -1),
      ('aten::native_group_norm_backward', 'norm', 'backward', 0, 1, 4, -1, -1),
      ('aten::_fused_rms_norm', 'norm', 'rms', 0, 2, -1, -1, -1),
      ('_C::rms_norm', 'norm', 'rms', 1, 2, -1, -1, -1),
      ('_C::fused_add_rms_norm', 'norm', 'rms added', 0, 1, 2, -1, -1),
      ('aten::_softmax', 'softmax', 'forward', 0, -1, -1, 2, -1),
      ('aten::_log_softmax', 'softmax', 'forward', 0, -1, -1, 2, -1),
      ('aten::_softmax_backward_data', 'softmax', 'backward', 0, 1, -1, -1, -1),
      ('aten::_log_softmax_backward_data', 'softmax', 'backward', 0, 1, -1, -1, -1),
      ('aten::sum', 'reduction', 'sum', 0, -1, -1, 1, -1),
      ('aten::mean', 'reduction', 'sum', 0, -1, -1, 1, -1),
      ('aten::amax', 'reduction', 'amax', 0, -1, -1, 1, -1),
      ('aten::amin', 'reduction', 'amax', 0, -1, -1, 1, -1),
      ('aten::fill_', 'elementwise', 'write', 0, -1, -1, -1, -1),
      ('aten::zero_', 'elementwise', 'write', 0, -1, -1, -1, -1),
      ('aten::copy_', 'elementwise', 'copy', 0, 1, -1, -1, -1),
      ('aten::cat', 'elementwise', 'cat', 0, -1, -1, -1, -1),
      ('aten::_cat', 'elementwise', 'cat', 0, -1, -1, -1, -1),
      ('aten::where', 'elementwise', 'where', 1, 2, 0, -1, -1)
  ),
  -- one result per element, of the type of the floats that go in
  mapped(name, a, b, c) AS (
    VALUES
      ('aten::abs', 0, -1, -1),
      ('aten::neg', 0, -1, -1),
      ('aten::exp', 0, -1, -1),
      ('aten::log', 0, -1, -1),
      ('aten::sqrt', 0, -1, -1),
      ('aten::rsqrt', 0, -1, -1),
      ('aten::reciprocal', 0, -1, -1),
      ('aten::sin', 0, -1, -1),
      ('aten::cos', 0, -1, -1),
      ('aten::tanh', 0, -1, -1),
      ('aten::sigmoid', 0, -1, -1),
      ('aten::relu', 0, -1, -1),
      ('aten::gelu', 0, -1, -1),
      ('aten::silu', 0, -1, -1),
      ('aten::leaky_relu', 0, -1, -1),
      ('aten::hardtanh', 0, -1, -1),
      ('aten::clamp', 0, -1, -1),
      ('aten::clamp_min', 0, -1, -1),
      ('aten::clamp_max', 0, -1, -1),
      ('aten::pow', 0, 1, -1),
      ('aten::add', 0, 1, -1),
      ('aten::sub', 0, 1, -1),
      ('aten::mul', 0, 1, -1),
      ('aten::div', 0, 1, -1),
      ('aten::maximum', 0, 1, -1),
      ('aten::minimum', 0, 1, -1),
      ('aten::sigmoid_backward', 0, 1, -1),
      ('aten::tanh_backward', 0, 1, -1),
      ('aten::threshold_backward', 0, 1, -1),
      ('aten::gelu_backward', 0, 1, -1),
      ('aten::silu_backward', 0, 1, -1),
      ('aten::addcmul', 0, 1, 2),
      ('aten::addcdiv', 0, 1, 2)
  ),
  compared(name) AS (
    VALUES
      ('aten::eq'),
      ('aten::ne'),
      ('aten::lt'),
      ('aten::le'),
      ('aten::gt'),
      ('aten::ge')
  )
SELECT
  *,
  CASE
    WHEN name GLOB 'flash_attn::*' THEN d + 1
    WHEN name = 'aten::_flash_attention_forward' THEN 11
    WHEN name = 'aten::_flash_attention_backward' THEN 15
    ELSE -1
  END AS w
FROM rule
UNION ALL
SELECT name, 'elementwise', 'map', a, b, c, -1, -1, -1 FROM mapped
UNION ALL
-- the same in place: the result takes the first input's memory
SELECT name || '_', 'elementwise', 'in place', a, b, c, -1, -1, -1
FROM mapped
WHERE
  name NOT GLOB '*backward'
UNION ALL
SELECT name, 'elementwise', 'compare', 0, 1, -1, -1, -1, -1 FROM compared;
