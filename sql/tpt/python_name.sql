-- Names of Python functions, as the profiler writes them.

-- 1 if a name is that of a line: file, line of the `def`, and function, as train.py(12): step.
CREATE PERFETTO MACRO tpt_is_python_line(
  -- Name of a slice of the category python_function.
  name Expr
)
RETURNS Expr AS
($name GLOB '*([0-9]*): *');

-- 1 if a line is a part of PyTorch.
CREATE PERFETTO MACRO tpt_is_of_torch(
  -- Name of the line.
  name Expr
)
RETURNS Expr AS
($name GLOB 'torch/*' OR $name GLOB '*/torch/*');
