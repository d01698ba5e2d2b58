-- The slices in a table, as `tpt_code_around!` looks them up where there may be many to look up.

INCLUDE PERFETTO MODULE tpt.code_around;

-- The rows of `tpt_code_slice`, without NULLs in parent_id, so that a look takes the same time
-- whatever the number of slices.
CREATE PERFETTO TABLE tpt_code_slice_table(
  -- Its id.
  id JOINID(slice.id),
  -- The slice that it lies in; -1: in none.
  parent_id LONG,
  -- Its name.
  name STRING,
  -- What it says of the code around others, as `tpt_code_kind!` has it.
  kind LONG
) AS
SELECT id, COALESCE(parent_id, -1) AS parent_id, name, kind FROM tpt_code_slice ORDER BY id;
