-- Arguments of slices. The import of JSON writes them under `args.`, that of a .pftrace under
-- `debug.args.`: these macros read either.

-- The value of an argument; NULL where the slice has none of this key.
CREATE PERFETTO MACRO tpt_arg(
  -- Set of arguments of the slice (`slice.arg_set_id`).
  arg_set_id Expr,
  -- Key as the profiler writes it, such as 'Group size'.
  key Expr
)
RETURNS Expr AS
COALESCE(
  EXTRACT_ARG($arg_set_id, 'args.' || $key),
  EXTRACT_ARG($arg_set_id, 'debug.args.' || $key)
);

-- The same as a whole number: profilers write some numbers as text.
CREATE PERFETTO MACRO tpt_int_arg(
  -- Set of arguments of the slice (`slice.arg_set_id`).
  arg_set_id Expr,
  -- Key as the profiler writes it, such as 'correlation'.
  key Expr
)
RETURNS Expr AS
CAST(tpt_arg!($arg_set_id, $key) AS INT);

-- A list of three numbers, as text: 512 x 4 x 1; NULL where the slice has none of this key.
CREATE PERFETTO MACRO tpt_shape(
  -- Set of arguments of the slice (`slice.arg_set_id`).
  arg_set_id Expr,
  -- Key as the profiler writes it: 'grid' or 'block'.
  key Expr
)
RETURNS Expr AS
tpt_int_arg!($arg_set_id, $key || '[0]')
|| ' x ' || tpt_int_arg!($arg_set_id, $key || '[1]')
|| ' x ' || tpt_int_arg!($arg_set_id, $key || '[2]');

-- The sets of arguments to which a repair added some: few, so that the other slices need no look.
CREATE PERFETTO TABLE _tpt_repaired_args AS
SELECT DISTINCT arg_set_id
FROM args
WHERE
  key IN (
    'args.tpt_name',
    'args.tpt_recorded_dur',
    'args.tpt_tid',
    'debug.args.tpt_name',
    'debug.args.tpt_recorded_dur',
    'debug.args.tpt_tid'
  )
ORDER BY arg_set_id;

-- The value of an argument that a repair added; NULL where the slice has none of this key.
CREATE PERFETTO MACRO tpt_repair_arg(
  -- Set of arguments of the slice (`slice.arg_set_id`).
  arg_set_id Expr,
  -- Its key: one of those above.
  key Expr
)
RETURNS Expr AS
IIF(
  $arg_set_id IN (SELECT arg_set_id FROM _tpt_repaired_args), tpt_arg!($arg_set_id, $key), NULL
);

-- The duration that was recorded, ns: a repair that trims a slice leaves it, in us, in its args.
CREATE PERFETTO MACRO tpt_recorded_dur(
  -- Set of arguments of the slice (`slice.arg_set_id`).
  arg_set_id Expr,
  -- Duration of the slice as it is now, ns.
  dur Expr
)
RETURNS Expr AS
COALESCE(CAST(ROUND(tpt_repair_arg!($arg_set_id, 'tpt_recorded_dur') * 1000) AS INT), $dur);
