-- The code around slices: the op, and the Python line.

INCLUDE PERFETTO MODULE tpt.python_name;

-- What a slice says of the code around others: 1: an op; 2: a line of PyTorch; 3: a line of another
-- Python file; 0: none of these.
CREATE PERFETTO MACRO tpt_code_kind(
  -- Its category.
  category Expr,
  -- Its name.
  name Expr
)
RETURNS Expr AS
CASE
  WHEN $category IN ('cpu_op', 'Operator') THEN 1
  WHEN $category = 'python_function' AND tpt_is_python_line!($name)
    THEN IIF(tpt_is_of_torch!($name), 2, 3)
  ELSE 0
END;

-- Slices as `tpt_code_around!` looks them up, where there are few to look up.
CREATE PERFETTO VIEW tpt_code_slice(
  -- Its id.
  id JOINID(slice.id),
  -- The slice that it lies in; NULL: in none.
  parent_id JOINID(slice.id),
  -- Its name.
  name STRING,
  -- What it says of the code around others, as `tpt_code_kind!` has it.
  kind LONG
) AS
SELECT id, parent_id, name, tpt_code_kind!(category, name) AS kind FROM slice;

-- The innermost op and the Python line around each of some slices. Those in neither have no row.
CREATE PERFETTO MACRO tpt_code_around(
  -- The slices: a table with a column id.
  source TableOrSubquery,
  -- All slices: `tpt_code_slice`, or, where `source` has many rows, a table of it whose parent_id
  -- has no NULLs: a table that has them takes time for each look that grows with its rows.
  slices TableOrSubquery
)
-- id; cpu_op (name of the innermost op around it; NULL: in none); python_line (file, line and
-- function, as the profiler writes them: the innermost Python function around it that is no part
-- of PyTorch, else the innermost; NULL without stacks).
RETURNS TableOrSubquery AS
(
  WITH RECURSIVE
    -- from the slice to those around it, until both are found
    around(from_id, id, cpu_op, torch_line, own_line) AS (
      SELECT it.id, slice.parent_id, NULL, NULL, NULL
      FROM $source AS it
      CROSS JOIN $slices AS slice USING (id)
      UNION ALL
      SELECT
        around.from_id,
        slice.parent_id,
        COALESCE(around.cpu_op, IIF(slice.kind = 1, slice.name, NULL)),
        COALESCE(around.torch_line, IIF(slice.kind = 2, slice.name, NULL)),
        COALESCE(around.own_line, IIF(slice.kind = 3, slice.name, NULL))
      FROM around
      CROSS JOIN $slices AS slice ON slice.id = around.id
      WHERE
        around.cpu_op IS NULL OR around.own_line IS NULL
    )
  SELECT
    from_id AS id,
    MAX(cpu_op) AS cpu_op,
    COALESCE(MAX(own_line), MAX(torch_line)) AS python_line
  FROM around
  GROUP BY from_id
  HAVING
    MAX(cpu_op) IS NOT NULL OR MAX(own_line) IS NOT NULL OR MAX(torch_line) IS NOT NULL
);
