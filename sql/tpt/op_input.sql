-- Ops whose work follows from the shapes of their inputs, with these shapes.

INCLUDE PERFETTO MODULE tpt.dims;

INCLUDE PERFETTO MODULE tpt.op;

INCLUDE PERFETTO MODULE tpt.op_rule;

-- Ops that have a rule.
CREATE PERFETTO TABLE _tpt_rule_op AS
SELECT
  op.seq,
  rule.kind IN ('elementwise', 'norm', 'softmax', 'reduction') AS is_elementwise
FROM tpt_op AS op
CROSS JOIN tpt_op_rule AS rule USING (name)
ORDER BY op.seq;

-- Ops that launched work themselves, with the op whose formula tells what that work did: the op
-- itself, else the innermost matrix product, attention or convolution around it.
CREATE PERFETTO TABLE tpt_op_owner(
  -- The op that launched the work, as in `tpt_op`.
  seq LONG,
  -- The op with the formula; those without one have no row.
  owner LONG
) AS
WITH RECURSIVE
  rule_op AS MATERIALIZED (
    SELECT * FROM _tpt_rule_op
  ),
  around(seq, at, owner) AS (
    SELECT work.seq, work.seq, rule_op.seq
    FROM tpt_op_work AS work
    LEFT JOIN rule_op USING (seq)
    UNION ALL
    SELECT around.seq, parent.parent, rule_op.seq
    FROM around
    CROSS JOIN tpt_op_parent AS parent ON parent.seq = around.at
    LEFT JOIN rule_op ON rule_op.seq = parent.parent AND NOT rule_op.is_elementwise
    WHERE
      around.owner IS NULL AND parent.parent > 0
  )
SELECT seq, owner
FROM around
WHERE
  owner IS NOT NULL
ORDER BY seq;

-- Owners that lie around another one with a matrix product, attention or convolution: that one did
-- the arithmetic.
CREATE PERFETTO TABLE _tpt_outer_owner AS
WITH RECURSIVE
  inner_one AS MATERIALIZED (
    SELECT DISTINCT rule_op.seq
    FROM tpt_op_owner AS own
    CROSS JOIN _tpt_rule_op AS rule_op ON rule_op.seq = own.owner
    WHERE
      NOT rule_op.is_elementwise
  ),
  around(at) AS (
    SELECT parent.parent FROM inner_one CROSS JOIN tpt_op_parent AS parent USING (seq)
    UNION
    SELECT parent.parent FROM around CROSS JOIN tpt_op_parent AS parent ON parent.seq = around.at
  )
SELECT at AS seq
FROM around
WHERE
  at IN (SELECT seq FROM inner_one)
ORDER BY at;

-- The size of a dimension of an input; NULL where it has none.
CREATE PERFETTO MACRO _tpt_size(arg_set_id Expr, prefix Expr, input Expr, place Expr)
RETURNS Expr AS
CAST(EXTRACT_ARG($arg_set_id, $prefix || 'Input Dims[' || $input || '][' || $place || ']') AS INT);

-- What stands at a place of a list in the args; NULL where nothing does.
CREATE PERFETTO MACRO _tpt_item(arg_set_id Expr, prefix Expr, list Expr, place Expr)
RETURNS Expr AS
EXTRACT_ARG($arg_set_id, $prefix || $list || '[' || ($place) || ']');

-- The ops of `tpt_op_owner` with what is recorded of their inputs, named as in `tpt_op_rule`.
CREATE PERFETTO TABLE tpt_op_input(
  -- The op, as in `tpt_op`.
  seq LONG,
  -- Its kind and formula.
  kind STRING,
  -- The formula.
  form STRING,
  -- 1: another op inside it did the arithmetic, else 0.
  is_outer BOOL,
  -- Shapes of its inputs as text, as `tpt_dims!` writes them.
  dims STRING,
  -- Type of the first input; NULL where none is recorded.
  a_type STRING,
  -- Its dimensions; NULL beyond the last.
  a0 LONG,
  -- Second dimension.
  a1 LONG,
  -- Third dimension.
  a2 LONG,
  -- Fourth dimension.
  a3 LONG,
  -- Fifth dimension.
  a4 LONG,
  -- 1: an input has more than five dimensions, else 0.
  is_deep BOOL,
  -- Type of the second input; NULL where it has none.
  b_type STRING,
  -- Its dimensions; NULL beyond the last.
  b0 LONG,
  -- Second dimension.
  b1 LONG,
  -- Third dimension.
  b2 LONG,
  -- Fourth dimension.
  b3 LONG,
  -- Fifth dimension.
  b4 LONG,
  -- Type of the third input; NULL where it has none.
  c_type STRING,
  -- Its dimensions; NULL beyond the last.
  c0 LONG,
  -- Second dimension.
  c1 LONG,
  -- Third dimension.
  c2 LONG,
  -- Fourth dimension.
  c3 LONG,
  -- Fifth dimension.
  c4 LONG,
  -- Value of the input `d`; NULL where not recorded.
  d_value STRING,
  -- Value of the one after it.
  d_next STRING,
  -- Value of the one after that.
  d_last STRING,
  -- First dimension of the input `e`.
  e0 LONG,
  -- Its second dimension.
  e1 LONG,
  -- Value of the input `e`; NULL where not recorded.
  e_value STRING,
  -- Value of the one after it.
  e_next STRING,
  -- Value of the one after that.
  e_third STRING,
  -- Value of the fourth from `e` on.
  e_fourth STRING,
  -- Value of the input `w`; NULL where not recorded, or not given.
  keys_before LONG,
  -- Value of the one after it; NULL likewise.
  keys_after LONG
) AS
WITH
  owning AS (
    SELECT DISTINCT owner AS seq FROM tpt_op_owner
  ),
  op AS MATERIALIZED (
    SELECT
      op.seq,
      rule.*,
      slice.arg_set_id AS args,
      IIF(
        EXTRACT_ARG(slice.arg_set_id, 'debug.args.Input type[0]') IS NULL, 'args.', 'debug.args.'
      ) AS prefix
    FROM owning
    CROSS JOIN tpt_op AS op USING (seq)
    CROSS JOIN slice ON slice.id = op.id
    CROSS JOIN tpt_op_rule AS rule ON rule.name = op.name
  )
SELECT
  seq,
  kind,
  form,
  seq IN (SELECT seq FROM _tpt_outer_owner) AS is_outer,
  tpt_dims!(args) AS dims,
  _tpt_item!(args, prefix, 'Input type', a) AS a_type,
  _tpt_size!(args, prefix, a, 0) AS a0,
  _tpt_size!(args, prefix, a, 1) AS a1,
  _tpt_size!(args, prefix, a, 2) AS a2,
  _tpt_size!(args, prefix, a, 3) AS a3,
  _tpt_size!(args, prefix, a, 4) AS a4,
  COALESCE(_tpt_size!(args, prefix, a, 5), _tpt_size!(args, prefix, b, 5)) IS NOT NULL AS is_deep,
  _tpt_item!(args, prefix, 'Input type', b) AS b_type,
  _tpt_size!(args, prefix, b, 0) AS b0,
  _tpt_size!(args, prefix, b, 1) AS b1,
  _tpt_size!(args, prefix, b, 2) AS b2,
  _tpt_size!(args, prefix, b, 3) AS b3,
  _tpt_size!(args, prefix, b, 4) AS b4,
  _tpt_item!(args, prefix, 'Input type', c) AS c_type,
  _tpt_size!(args, prefix, c, 0) AS c0,
  _tpt_size!(args, prefix, c, 1) AS c1,
  _tpt_size!(args, prefix, c, 2) AS c2,
  _tpt_size!(args, prefix, c, 3) AS c3,
  _tpt_size!(args, prefix, c, 4) AS c4,
  CAST(IIF(d < 0, NULL, _tpt_item!(args, prefix, 'Concrete Inputs', d)) AS TEXT) AS d_value,
  CAST(IIF(d < 0, NULL, _tpt_item!(args, prefix, 'Concrete Inputs', d + 1)) AS TEXT) AS d_next,
  CAST(IIF(d < 0, NULL, _tpt_item!(args, prefix, 'Concrete Inputs', d + 2)) AS TEXT) AS d_last,
  IIF(e < 0, NULL, _tpt_size!(args, prefix, e, 0)) AS e0,
  IIF(e < 0, NULL, _tpt_size!(args, prefix, e, 1)) AS e1,
  CAST(IIF(e < 0, NULL, _tpt_item!(args, prefix, 'Concrete Inputs', e)) AS TEXT) AS e_value,
  CAST(IIF(e < 0, NULL, _tpt_item!(args, prefix, 'Concrete Inputs', e + 1)) AS TEXT) AS e_next,
  CAST(IIF(e < 0, NULL, _tpt_item!(args, prefix, 'Concrete Inputs', e + 2)) AS TEXT) AS e_third,
  CAST(IIF(e < 0, NULL, _tpt_item!(args, prefix, 'Concrete Inputs', e + 3)) AS TEXT) AS e_fourth,
  CAST(NULLIF(IIF(w < 0, NULL, _tpt_item!(args, prefix, 'Concrete Inputs', w)), '') AS INT)
    AS keys_before,
  CAST(NULLIF(IIF(w < 0, NULL, _tpt_item!(args, prefix, 'Concrete Inputs', w + 1)), '') AS INT)
    AS keys_after
FROM op
ORDER BY seq;
