-- The shapes of the inputs of ops, as text.

INCLUDE PERFETTO MODULE tpt.arg;

INCLUDE PERFETTO MODULE tpt.op;

-- The size of one dimension of an input of an op; NULL where it has none or it is not recorded.
CREATE PERFETTO MACRO tpt_dim(
  -- Set of arguments of the op (`slice.arg_set_id`).
  arg_set_id Expr,
  -- Input and dimension, from 0 on, such as '[1][0]'; of an input that is a list of tensors also
  -- the number of the tensor in it, '[0][2][1]'.
  place Expr
)
RETURNS Expr AS
tpt_int_arg!($arg_set_id, 'Input Dims' || $place);

-- The shape of one input: [4, 8]; NULL for scalars, lists, and where shapes are not recorded.
CREATE PERFETTO MACRO _tpt_dims_of_input(arg_set_id Expr, input Expr)
RETURNS Expr AS
'['
|| tpt_dim!($arg_set_id, $input || '[0]')
|| COALESCE(
  ', ' || tpt_dim!($arg_set_id, $input || '[1]')
  || COALESCE(
    ', ' || tpt_dim!($arg_set_id, $input || '[2]')
    || COALESCE(
      ', ' || tpt_dim!($arg_set_id, $input || '[3]')
      || COALESCE(', ' || tpt_dim!($arg_set_id, $input || '[4]'), ''),
      ''
    ),
    ''
  ),
  ''
)
|| ']';

-- The shapes of the first five inputs of an op, with - for scalars and lists between them, of each
-- the first five dimensions: [4, 8] - [8]. Empty where no shapes are recorded.
CREATE PERFETTO MACRO tpt_dims(
  -- Set of arguments of the op (`slice.arg_set_id`).
  arg_set_id Expr
)
RETURNS Expr AS
RTRIM(
  COALESCE(_tpt_dims_of_input!($arg_set_id, '[0]'), '-')
  || ' ' || COALESCE(_tpt_dims_of_input!($arg_set_id, '[1]'), '-')
  || ' ' || COALESCE(_tpt_dims_of_input!($arg_set_id, '[2]'), '-')
  || ' ' || COALESCE(_tpt_dims_of_input!($arg_set_id, '[3]'), '-')
  || ' ' || COALESCE(_tpt_dims_of_input!($arg_set_id, '[4]'), '-'),
  ' -'
);

-- The shape of the first tensor of an input 0 that is a list, and how many follow: [4, 8] and 2
-- more.
CREATE PERFETTO MACRO tpt_dims_of_list(
  -- Set of arguments of the op (`slice.arg_set_id`).
  arg_set_id Expr,
  -- How many tensors the list has.
  tensors Expr
)
RETURNS Expr AS
_tpt_dims_of_input!($arg_set_id, '[0][0]')
|| IIF($tensors > 1, FORMAT(' and %d more', $tensors - 1), '');

-- Ops that launched work, with the shapes of their inputs. Ops without recorded shapes have no row.
CREATE PERFETTO TABLE tpt_op_dims(
  -- The op, as in `tpt_op`.
  seq LONG,
  -- Shapes of the first five inputs, as `tpt_dims!` writes them.
  dims STRING
) AS
WITH
  shape AS MATERIALIZED (
    SELECT work.seq, tpt_dims!(slice.arg_set_id) AS dims
    FROM tpt_op_work AS work
    CROSS JOIN tpt_op AS op USING (seq)
    CROSS JOIN slice ON slice.id = op.id
  )
SELECT seq, dims
FROM shape
WHERE
  dims != ''
ORDER BY seq;
