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

-- The duration that was recorded, ns: a repair that trims a slice leaves it, in us, in its args.
CREATE PERFETTO MACRO tpt_recorded_dur(
  -- Set of arguments of the slice (`slice.arg_set_id`).
  arg_set_id Expr,
  -- Duration of the slice as it is now, ns.
  dur Expr
)
RETURNS Expr AS
COALESCE(CAST(ROUND(tpt_arg!($arg_set_id, 'tpt_recorded_dur') * 1000) AS INT), $dur);
