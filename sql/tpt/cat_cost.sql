-- Memory traffic of torch.cat, whose input is a list of tensors.

INCLUDE PERFETTO MODULE tpt.dims;

INCLUDE PERFETTO MODULE tpt.launched;

INCLUDE PERFETTO MODULE tpt.op;

INCLUDE PERFETTO MODULE tpt.op_input;

-- Size of an element by the kernel of a cat; NULL where its name does not say it. PyTorch moves
-- bytes: OpaqueType<2u> is any type of 2 bytes (aten/src/ATen/native/cuda/Shape.cu); before, the
-- type itself stood there.
CREATE PERFETTO MACRO _tpt_cat_element(name Expr)
RETURNS Expr AS
COALESCE(
  CAST(REGEXP_EXTRACT($name, 'CatArray.*OpaqueType<([0-9]+)') AS INT),
  CASE REGEXP_EXTRACT($name, 'CatArray[A-Za-z0-9_]*<([a-zA-Z0-9: ]+),')
    WHEN 'double' THEN 8
    WHEN 'long' THEN 8
    WHEN 'float' THEN 4
    WHEN 'int' THEN 4
    WHEN 'c10::Half' THEN 2
    WHEN 'c10::BFloat16' THEN 2
    WHEN 'short' THEN 2
    WHEN 'bool' THEN 1
    WHEN 'unsigned char' THEN 1
    WHEN 'signed char' THEN 1
  END
);

-- Each cat that launched work: it reads every input once, writes as much, and computes nothing.
CREATE PERFETTO TABLE tpt_cat_cost(
  -- The op, as in `tpt_op`.
  seq LONG,
  -- Shape of the first tensor, and how many follow; NULL where none is recorded.
  dims STRING,
  -- Bytes that it reads and writes; NULL where not known.
  bytes LONG,
  -- Why it is NULL, as in `tpt_op_cost`; NULL where it is known.
  reason STRING
) AS
WITH RECURSIVE
  op AS MATERIALIZED (
    SELECT input.seq, slice.arg_set_id AS args
    FROM tpt_op_input AS input
    CROSS JOIN tpt_op USING (seq)
    CROSS JOIN slice ON slice.id = tpt_op.id
    WHERE
      input.form = 'cat'
  ),
  tensor(seq, args, n) AS (
    SELECT seq, args, 0 FROM op WHERE tpt_dim!(args, '[0][0][0]') IS NOT NULL
    UNION ALL
    SELECT seq, args, n + 1
    FROM tensor
    WHERE
      tpt_dim!(args, '[0][' || (n + 1) || '][0]') IS NOT NULL
  ),
  counted AS MATERIALIZED (
    SELECT
      seq,
      COUNT(*) AS tensors,
      SUM(
        tpt_dim!(args, '[0][' || n || '][0]')
        * COALESCE(tpt_dim!(args, '[0][' || n || '][1]'), 1)
        * COALESCE(tpt_dim!(args, '[0][' || n || '][2]'), 1)
        * COALESCE(tpt_dim!(args, '[0][' || n || '][3]'), 1)
        * COALESCE(tpt_dim!(args, '[0][' || n || '][4]'), 1)
      ) AS elements,
      MAX(tpt_dim!(args, '[0][' || n || '][5]') IS NOT NULL) AS is_deep
    FROM tensor
    GROUP BY seq
  ),
  moved AS MATERIALIZED (
    SELECT own.owner AS seq, MAX(_tpt_cat_element!(work.name)) AS element_bytes
    FROM tpt_op_of_work AS launch
    CROSS JOIN tpt_op_owner AS own USING (seq)
    CROSS JOIN tpt_launched AS work USING (id)
    WHERE
      own.owner IN (SELECT seq FROM op)
    GROUP BY own.owner
  )
SELECT
  op.seq,
  tpt_dims_of_list!(op.args, counted.tensors) AS dims,
  IIF(counted.is_deep, NULL, 2 * counted.elements * moved.element_bytes) AS bytes,
  CASE
    WHEN counted.tensors IS NULL THEN 'shapes not recorded'
    WHEN counted.is_deep THEN 'shapes do not fit'
    WHEN moved.element_bytes IS NULL THEN 'output type not recorded'
  END AS reason
FROM op
LEFT JOIN counted USING (seq)
LEFT JOIN moved USING (seq)
ORDER BY op.seq;
