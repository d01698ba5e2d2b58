-- Arithmetic and memory traffic of ops, from the shapes of their inputs.
-- Operations are those of the algorithm, an addition and a multiplication each: PyTorch's
-- torch/utils/flop_counter.py for products, attention and convolutions, to which an addition per
-- element of a bias and an operation per element of elementwise ops come, as in TraceLens.
-- Bytes are those of every input once and of the output once: what a kernel with a perfect cache
-- would read and write.
--   m x k by k x n      2 m n k, of each matrix of a batch
--   grouped             2 k n for each row, all rows counted as routed
--   experts             a token goes through two products for each of its experts
--   attention           q k' and p v: 2 n_q n_kv (d_qk + d_v) per head of q; half where causal, as
--                       FlashAttention's own benchmark counts; with a window the pairs inside it.
--                       Backward: five products, q k' again, dv, dp, dq, dk. Heads of k and v count
--                       once in bytes, however many heads of q share them (GQA)
--   norm                per element 3 for mean and variance (of a batch where it trains), and 2 to
--                       normalise, weight and bias folded in, as in TraceLens (Normalization); RMS
--                       norm: 4 (square, sum, two products), 5 with the sum before it; backward 9
--   softmax             5 per element: maximum, difference, exponential, sum, quotient, as in
--                       PyTorch's softmax; backward 4: product, sum, difference, product
--   reduction           1 per element that goes in, as in TraceLens (Reduce)
--   cat                 none: it reads its inputs and writes as much; the size of an element is
--                       told by the kernel's name, for that of a list of tensors is not recorded
--   convolution         2 c_in/groups k_1 k_2.. per element of the output, of the input where
--                       transposed; backward the same for each gradient of input and weight that
--                       is asked for. Biases are added by aten::add_, and their gradients summed by
--                       aten::sum inside it (aten/src/ATen/native/Convolution.cpp), which count
--                       for themselves

INCLUDE PERFETTO MODULE tpt.cat_cost;

INCLUDE PERFETTO MODULE tpt.dtype;

INCLUDE PERFETTO MODULE tpt.op_input;

-- The product of dimensions, of which those beyond the last are NULL.
CREATE PERFETTO MACRO _tpt_product(a Expr, b Expr, c Expr, d Expr, e Expr)
RETURNS Expr AS
COALESCE($a, 1) * COALESCE($b, 1) * COALESCE($c, 1) * COALESCE($d, 1) * COALESCE($e, 1);

-- The n-th number, from 0 on, of a list such as "[2, 1]"; of a list of one number that one.
CREATE PERFETTO MACRO _tpt_first(list Expr)
RETURNS Expr AS
CAST(SUBSTR($list, 2) AS INT);

-- The rest of a list behind its first number; a list of one number stays.
CREATE PERFETTO MACRO _tpt_rest(list Expr)
RETURNS Expr AS
IIF(INSTR($list, ', ') > 0, SUBSTR($list, INSTR($list, ', ') + 1), $list);

-- Size of a dimension of the output of a convolution (torch.nn.Conv2d, torch.nn.ConvTranspose2d).
CREATE PERFETTO MACRO _tpt_convolved(
  size Expr,
  width Expr,
  stride Expr,
  padding Expr,
  dilation Expr,
  is_transposed Expr,
  more Expr
)
RETURNS Expr AS
IIF(
  $is_transposed,
  ($size - 1) * _tpt_first!($stride) - 2 * _tpt_first!($padding)
  + _tpt_first!($dilation) * ($width - 1) + _tpt_first!($more) + 1,
  ($size + 2 * _tpt_first!($padding) - _tpt_first!($dilation) * ($width - 1) - 1)
  / _tpt_first!($stride) + 1
);

-- A dimension of an input counted from the last, 0 on; 1 where it has none.
CREATE PERFETTO MACRO _tpt_from_last(rank Expr, n Expr, a Expr, b Expr, c Expr, d Expr, e Expr)
RETURNS Expr AS
CASE $rank - 1 - $n
  WHEN 0 THEN $a
  WHEN 1 THEN $b
  WHEN 2 THEN $c
  WHEN 3 THEN $d
  WHEN 4 THEN $e
  ELSE 1
END;

-- A dimension of the result of inputs that are spread to one shape: that of any that is not 1.
CREATE PERFETTO MACRO _tpt_spread(n Expr)
RETURNS Expr AS
IIF(
  _tpt_from_last!(a_rank, $n, a0, a1, a2, a3, a4) != 1,
  _tpt_from_last!(a_rank, $n, a0, a1, a2, a3, a4),
  IIF(
    _tpt_from_last!(b_rank, $n, b0, b1, b2, b3, b4) != 1,
    _tpt_from_last!(b_rank, $n, b0, b1, b2, b3, b4),
    _tpt_from_last!(c_rank, $n, c0, c1, c2, c3, c4)
  )
);

-- Bytes of a type that an op was asked for, by its number (ScalarType of c10/core/ScalarType.h);
-- NULL for others.
CREATE PERFETTO MACRO _tpt_scalar_type_bytes(number Expr)
RETURNS Expr AS
CASE $number
  WHEN '3' THEN 4
  WHEN '4' THEN 8
  WHEN '5' THEN 2
  WHEN '6' THEN 4
  WHEN '7' THEN 8
  WHEN '15' THEN 2
END;

-- Inputs with their sizes, and the sizes of outputs that need some work.
CREATE PERFETTO TABLE _tpt_sized_input AS
WITH
  dtype AS MATERIALIZED (
    SELECT * FROM tpt_dtype
  ),
  typed AS (
    SELECT
      input.*,
      a_dtype.bytes AS a_bytes,
      a_dtype.is_float AS a_float,
      a_dtype.packed AS a_packed,
      a_dtype.peak AS a_peak,
      b_dtype.bytes AS b_bytes,
      b_dtype.is_float AS b_float,
      b_dtype.peak AS b_peak,
      c_dtype.bytes AS c_bytes,
      c_dtype.is_float AS c_float,
      (a0 IS NOT NULL) + (a1 IS NOT NULL) + (a2 IS NOT NULL) + (a3 IS NOT NULL)
      + (a4 IS NOT NULL) AS a_rank,
      (b0 IS NOT NULL) + (b1 IS NOT NULL) + (b2 IS NOT NULL) + (b3 IS NOT NULL)
      + (b4 IS NOT NULL) AS b_rank,
      (c0 IS NOT NULL) + (c1 IS NOT NULL) + (c2 IS NOT NULL) + (c3 IS NOT NULL)
      + (c4 IS NOT NULL) AS c_rank,
      IIF(a_dtype.bytes IS NULL, 0, _tpt_product!(a0, a1, a2, a3, a4)) AS a_count,
      IIF(b_dtype.bytes IS NULL, 0, _tpt_product!(b0, b1, b2, b3, b4)) AS b_count,
      IIF(c_dtype.bytes IS NULL, 0, _tpt_product!(c0, c1, c2, c3, c4)) AS c_count
    FROM tpt_op_input AS input
    LEFT JOIN dtype AS a_dtype ON a_dtype.name = input.a_type
    LEFT JOIN dtype AS b_dtype ON b_dtype.name = input.b_type
    LEFT JOIN dtype AS c_dtype ON c_dtype.name = input.c_type
  )
SELECT
  *,
  -- the wider of the floats that have dimensions; two that are as wide and differ make a float
  MAX(
    IIF(a_float AND a_rank > 0, a_bytes, 0),
    IIF(b_float AND b_rank > 0, b_bytes, 0),
    IIF(c_float AND c_rank > 0 AND form != 'where', c_bytes, 0),
    IIF(a_float AND b_float AND a_rank > 0 AND b_rank > 0 AND a_type != b_type, 4, 0)
  ) AS float_bytes,
  _tpt_spread!(0) * _tpt_spread!(1) * _tpt_spread!(2) * _tpt_spread!(3) * _tpt_spread!(4)
    AS spread_count,
  -- what a scaled product's output is made of
  IIF(d_value = '', a_bytes, _tpt_scalar_type_bytes!(d_value)) AS scaled_bytes,
  IIF(
    kind = 'convolution' AND form = 'forward',
    a0 * IIF(e_value = 'True', b1 * CAST(e_third AS INT), b0)
    * _tpt_convolved!(a2, b2, d_value, d_next, d_last, e_value = 'True', e_next)
    * IIF(
      a_rank > 3,
      _tpt_convolved!(
        a3,
        b3,
        _tpt_rest!(d_value),
        _tpt_rest!(d_next),
        _tpt_rest!(d_last),
        e_value = 'True',
        _tpt_rest!(e_next)
      ),
      1
    )
    * IIF(
      a_rank > 4,
      _tpt_convolved!(
        a4,
        b4,
        _tpt_rest!(_tpt_rest!(d_value)),
        _tpt_rest!(_tpt_rest!(d_next)),
        _tpt_rest!(_tpt_rest!(d_last)),
        e_value = 'True',
        _tpt_rest!(_tpt_rest!(e_next))
      ),
      1
    ),
    NULL
  ) AS convolved_count
FROM typed
ORDER BY seq;

-- Matrix products: those of one matrix, of a batch, of groups of rows, and of experts.
CREATE PERFETTO TABLE _tpt_gemm_cost AS
WITH
  size AS (
    SELECT
      *,
      CASE
        WHEN form GLOB 'mm*' AND a_rank = 2 AND b_rank = 2 AND a1 = b0 THEN a0 * b1
        WHEN form = 'bmm' AND a_rank = 3 AND b_rank = 3 AND a0 = b0 AND a2 = b1 THEN a0 * a1 * b2
        WHEN form = 'mv' AND a_rank = 2 AND b_rank = 1 AND a1 = b0 THEN a0
        WHEN form = 'linear' AND b_rank = 2 AND a_rank > 0 AND a_count % b1 = 0
          AND b1 = _tpt_from_last!(a_rank, 0, a0, a1, a2, a3, a4) THEN a_count / b1 * b0
        WHEN form GLOB 'grouped*' AND a_rank = 2 AND b_rank = 3 AND a1 = b1 THEN a0 * b2
        WHEN form GLOB 'grouped*' AND a_rank = 3 AND b_rank = 2 AND a2 = b0 THEN a1 * b1
        WHEN form GLOB 'grouped*' AND a_rank = 3 AND b_rank = 3 AND a0 = b0 AND a2 = b1
          THEN a0 * a1 * b2
        -- rows of k in groups: an output for each
        WHEN form GLOB 'grouped*' AND a_rank = 2 AND b_rank = 2 AND a1 = b0 THEN a0 * b1 * e0
        WHEN form = 'experts' AND a_rank = 2 AND b_rank = 3 AND c_rank = 3 AND b2 = a1
          AND c1 = a1 THEN a_count
      END AS out_count,
      CASE
        WHEN form = 'linear' THEN b1
        WHEN form GLOB 'grouped*' AND a_rank = 2 AND b_rank = 2 THEN 1.0 * a1 / e0
        WHEN a_rank = 3 THEN a2
        ELSE a1
      END * a_packed AS k,
      CASE
        WHEN form = 'mm int' THEN 4
        WHEN form GLOB '*scaled' THEN scaled_bytes
        WHEN a_float THEN a_bytes
      END AS out_bytes
    FROM _tpt_sized_input
    WHERE
      kind IN ('gemm', 'grouped gemm')
  )
SELECT
  seq,
  IIF(
    form = 'experts',
    IIF(out_count IS NULL, NULL, 2 * e0 * e1 * (b1 * a1 + c1 * c2)),
    CAST(2 * out_count * k AS INT) + IIF(c_bytes IS NULL, 0, out_count)
  ) AS flops,
  IIF(
    form = 'experts',
    NULL,
    a_count * a_bytes + b_count * b_bytes + c_count * COALESCE(c_bytes, 0) + out_count * out_bytes
  ) AS bytes,
  CASE
    WHEN out_count IS NULL THEN 'shapes do not fit'
    WHEN form = 'experts' THEN 'experts not recorded'
    WHEN out_bytes IS NULL THEN 'output type not recorded'
  END AS reason
FROM size;

-- Attention.
CREATE PERFETTO TABLE _tpt_attention_cost AS
WITH
  named AS (
    SELECT
      *,
      form GLOB '*backward' AS is_backward,
      d_value = 'True' AS is_causal,
      a_rank = 3 AS is_packed,
      CASE WHEN form GLOB 'bhnd*' THEN a1 WHEN a_rank = 3 THEN a1 ELSE a2 END AS heads,
      CASE WHEN form GLOB 'bhnd*' THEN a2 WHEN a_rank = 3 THEN a0 ELSE a1 END AS queries,
      CASE WHEN form GLOB 'bhnd*' THEN b2 WHEN b_rank = 3 THEN b0 ELSE b1 END AS keys,
      IIF(a_rank = 3, 1, a0) AS batch,
      IIF(a_rank = 3, a2, a3) AS width,
      IIF(c_rank = 3, c2, c3) AS value_width
    FROM _tpt_sized_input
    WHERE
      kind = 'attention'
  ),
  -- keys that a query sees at most, its own apart; a width below 0 is none
  windowed AS (
    SELECT
      *,
      IIF(keys_before BETWEEN 0 AND keys - 1, keys_before, keys) AS most_before,
      CASE
        WHEN is_causal THEN 0
        WHEN keys_after BETWEEN 0 AND keys - 1 THEN keys_after
        ELSE keys
      END AS most_after
    FROM named
  ),
  judged AS (
    SELECT
      *,
      -- twice the pairs of a query and a key that it sees: a triangle is missing on either side
      batch * heads * CASE
        WHEN is_causal AND most_before = keys THEN queries * keys
        ELSE 2 * queries * keys
          - (keys - most_before) * (keys - most_before - 1)
          - (keys - most_after) * (keys - most_after - 1)
      END AS pairs,
      batch * heads * queries * value_width AS out_count,
      CASE
        WHEN form = 'paged' OR (is_packed AND COALESCE(e0, 0) != 2) THEN 'lengths not recorded'
        WHEN COALESCE(d_value, '') NOT IN ('True', 'False') THEN 'causal or not is not recorded'
        WHEN a_rank NOT IN (3, 4) OR a_rank != b_rank OR b_rank != c_rank THEN 'shapes do not fit'
        WHEN queries != keys AND MIN(most_before, most_after) < keys
          THEN 'causal or windowed, of unlike lengths'
        WHEN NOT a_float THEN 'output type not recorded'
      END AS reason
    FROM windowed
  )
SELECT
  seq,
  CASE
    WHEN reason IS NOT NULL THEN NULL
    WHEN is_backward THEN pairs * (3 * width + 2 * value_width)
    ELSE pairs * (width + value_width)
  END AS flops,
  IIF(
    reason IS NULL,
    (a_count + b_count + c_count + out_count) * IIF(is_backward, 2, 1) * a_bytes,
    NULL
  ) AS bytes,
  reason
FROM judged;

-- Convolutions. Backward the gradient of the output is the third input.
CREATE PERFETTO TABLE _tpt_convolution_cost AS
WITH
  judged AS (
    SELECT
      *,
      -- gradients of input and weight that are asked for
      (e_fourth GLOB '[[]True, *') + (e_fourth GLOB '*, True, *') AS gradients,
      IIF(form = 'forward', convolved_count, c_count) AS out_count,
      CASE
        WHEN form = 'backward' AND e_fourth IS NULL THEN 'gradients not recorded'
        WHEN NULLIF(d_value, '') IS NULL OR NULLIF(d_next, '') IS NULL
          OR NULLIF(d_last, '') IS NULL OR COALESCE(e_value, '') NOT IN ('True', 'False')
          THEN 'stride not recorded'
        WHEN a_rank < 3 OR a_rank != b_rank THEN 'shapes do not fit'
        WHEN NOT a_float THEN 'output type not recorded'
      END AS reason
    FROM _tpt_sized_input
    WHERE
      kind = 'convolution'
  ),
  counted AS (
    SELECT
      *,
      2 * IIF(e_value = 'True', a_count, out_count) * b_count / b0 AS product
    FROM judged
  )
SELECT
  seq,
  CASE
    WHEN reason IS NOT NULL THEN NULL
    WHEN form = 'forward' THEN product
    ELSE gradients * product
  END AS flops,
  CASE
    WHEN reason IS NOT NULL THEN NULL
    WHEN form = 'forward' THEN (a_count + b_count + out_count) * a_bytes
    ELSE gradients * (a_count + b_count + out_count) * a_bytes
  END AS bytes,
  reason
FROM counted;

-- Elementwise ops: an operation per element of the result; to write or to copy is none.
CREATE PERFETTO TABLE _tpt_elementwise_cost AS
WITH
  judged AS (
    SELECT
      *,
      IIF(form IN ('map', 'compare', 'where'), spread_count, a_count) AS out_count,
      CASE
        WHEN form = 'compare' THEN 1
        WHEN form IN ('map', 'where') THEN NULLIF(float_bytes, 0)
        ELSE a_bytes
      END AS out_bytes
    FROM _tpt_sized_input
    WHERE
      kind = 'elementwise' AND form != 'cat'
  )
SELECT
  seq,
  IIF(form IN ('write', 'copy'), 0, out_count) AS flops,
  out_count * out_bytes + CASE
    WHEN form = 'write' THEN 0
    WHEN form = 'copy' THEN b_count * b_bytes
    ELSE a_count * COALESCE(a_bytes, 0) + b_count * COALESCE(b_bytes, 0)
      + c_count * COALESCE(c_bytes, 0)
  END AS bytes,
  IIF(out_bytes IS NULL, 'output type not recorded', NULL) AS reason
FROM judged;

-- Whether a reduction takes a dimension away, by the list of dimensions that it was given: "[-1]".
CREATE PERFETTO MACRO _tpt_is_taken(list Expr, rank Expr, n Expr)
RETURNS Expr AS
INSTR(', ' || TRIM($list, '[]') || ',', ', ' || ($n) || ',') > 0
OR INSTR(', ' || TRIM($list, '[]') || ',', ', ' || ($n - $rank) || ',') > 0;

-- Norms, softmax and reductions. Statistics of rows are not counted in bytes; those of batch norms
-- are: mean and variance, read, and written where it trains.
CREATE PERFETTO TABLE _tpt_row_cost AS
WITH
  asked AS (
    SELECT
      *,
      -- the type of the sum, which stands in the place of the dimensions where there are none
      IIF(form = 'sum', IIF(d_value GLOB '[0-9]*', d_value, NULLIF(d_last, '')), NULL) AS out_type
    FROM _tpt_sized_input
    WHERE
      kind IN ('norm', 'softmax', 'reduction')
  ),
  judged AS (
    SELECT
      *,
      CASE
        WHEN kind != 'reduction' THEN a_count
        WHEN d_value IN ('', '[]') OR d_value NOT GLOB '[[]*' THEN 1
        ELSE IIF(a_rank < 1 OR _tpt_is_taken!(d_value, a_rank, 0), 1, a0)
          * IIF(a_rank < 2 OR _tpt_is_taken!(d_value, a_rank, 1), 1, a1)
          * IIF(a_rank < 3 OR _tpt_is_taken!(d_value, a_rank, 2), 1, a2)
          * IIF(a_rank < 4 OR _tpt_is_taken!(d_value, a_rank, 3), 1, a3)
          * IIF(a_rank < 5 OR _tpt_is_taken!(d_value, a_rank, 4), 1, a4)
      END AS out_count,
      CASE
        WHEN kind = 'softmax' AND form = 'forward' AND d_value = 'True' THEN 4
        WHEN out_type IS NOT NULL THEN _tpt_scalar_type_bytes!(out_type)
        -- integers are summed in 64 bits
        WHEN form = 'sum' AND NOT a_float THEN 8
        ELSE a_bytes
      END AS out_bytes,
      a_count * COALESCE(a_bytes, 0) + b_count * COALESCE(b_bytes, 0)
      + c_count * COALESCE(c_bytes, 0) AS in_bytes
    FROM asked
  )
SELECT
  seq,
  a_count * CASE form
    WHEN 'batch' THEN IIF(d_value = 'True', 5, 2)
    WHEN 'layer' THEN 5
    WHEN 'rms' THEN 4
    WHEN 'rms added' THEN 5
    WHEN 'backward' THEN IIF(kind = 'norm', 9, 4)
    WHEN 'forward' THEN 5
    ELSE 1
  END AS flops,
  in_bytes + out_count * out_bytes + CASE
    WHEN form = 'batch' THEN IIF(d_value = 'True', 4, 2) * b_count * COALESCE(b_bytes, 0)
    -- gradients of weight and bias
    WHEN kind = 'norm' AND form = 'backward' THEN 2 * c_count * COALESCE(c_bytes, 0)
    -- the sum is kept too
    WHEN form = 'rms added' THEN b_count * b_bytes
    ELSE 0
  END AS bytes,
  CASE
    WHEN form = 'batch' AND COALESCE(d_value, '') NOT IN ('True', 'False')
      THEN 'training or not is not recorded'
    WHEN kind = 'reduction' AND d_value IS NULL THEN 'dimensions not recorded'
    WHEN out_bytes IS NULL THEN 'output type not recorded'
  END AS reason
FROM judged;

-- Each op that has a formula, with what it does, as far as the recorded shapes tell.
CREATE PERFETTO TABLE tpt_op_cost(
  -- The op, as in `tpt_op`.
  seq LONG,
  -- gemm, grouped gemm, attention, convolution, norm, softmax, reduction, elementwise.
  kind STRING,
  -- 1: a kind that matrix units compute, 0: norm, softmax, reduction, elementwise.
  uses_matrix_units BOOL,
  -- Shapes of its inputs, as `tpt_dims!` writes them.
  dims STRING,
  -- Which peak of a GPU it computes at: fp64, fp32, fp16, bf16, fp8, fp4, int8; NULL for others,
  -- and where the two inputs of a product are of different ones, as bf16 and fp8.
  dtype STRING,
  -- Operations; NULL where not known.
  flops LONG,
  -- Bytes that it reads and writes at least; NULL where not known.
  bytes LONG,
  -- Why one of these is NULL: shapes not recorded; shapes do not fit (they are those of no such
  -- product, as where weights are packed); output type not recorded; lengths not recorded (of
  -- sequences that are packed or lie in pages); causal or not is not recorded; causal or windowed,
  -- of unlike lengths; stride not recorded; gradients not recorded; training or not is not
  -- recorded; dimensions not recorded (of a reduction); experts not recorded (bytes only: which
  -- experts got tokens); counted inside (another op of the list, in it, did the arithmetic); NULL
  -- where both are known.
  reason STRING
) AS
WITH
  cost AS MATERIALIZED (
    SELECT * FROM _tpt_gemm_cost
    UNION ALL
    SELECT * FROM _tpt_attention_cost
    UNION ALL
    SELECT * FROM _tpt_convolution_cost
    UNION ALL
    SELECT * FROM _tpt_elementwise_cost
    UNION ALL
    SELECT * FROM _tpt_row_cost
    UNION ALL
    SELECT seq, IIF(bytes IS NULL, NULL, 0), bytes, reason FROM tpt_cat_cost
  ),
  judged AS (
    SELECT
      input.seq,
      input.kind,
      COALESCE(cat.dims, input.dims) AS dims,
      input.kind IN ('gemm', 'grouped gemm', 'attention', 'convolution') AS uses_matrix_units,
      IIF(input.a_peak IS input.b_peak, input.a_peak, NULL) AS product_peak,
      cost.flops,
      cost.bytes,
      CASE
        WHEN input.is_outer THEN 'counted inside'
        WHEN cat.seq IS NOT NULL THEN cat.reason
        WHEN input.a_type IS NULL THEN 'shapes not recorded'
        WHEN input.a_bytes IS NULL OR input.is_deep THEN 'shapes do not fit'
        ELSE cost.reason
      END AS reason
    FROM _tpt_sized_input AS input
    CROSS JOIN cost USING (seq)
    LEFT JOIN tpt_cat_cost AS cat USING (seq)
  )
SELECT
  seq,
  kind,
  uses_matrix_units,
  dims,
  IIF(uses_matrix_units, product_peak, 'fp32') AS dtype,
  IIF(COALESCE(reason, 'output type not recorded') IN ('output type not recorded',
    'experts not recorded'), flops, NULL) AS flops,
  IIF(reason IS NULL, bytes, NULL) AS bytes,
  reason
FROM judged
ORDER BY seq;
