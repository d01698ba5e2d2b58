-- Short, readable names of kernels.

-- The function of a kernel without return type, namespaces, template arguments and parameters; for
-- elementwise kernels of ATen with the functor: elementwise CUDAFunctor_add. Two kernels of a trace
-- may have the same short name. Tables and reports of tp-tools also add types, shorten generated
-- names (Tensile, xmma, Triton) and mangled ones, and add the part in which names differ.
CREATE PERFETTO FUNCTION tpt_short_name(
  -- Name of a kernel, or the profiler's name of a copy.
  name STRING
)
-- The short name; the name itself where it is no C++, or is mangled.
RETURNS STRING AS
WITH
  -- materialized, else each use of a part takes the name apart once more
  declared AS MATERIALIZED (
    SELECT
      REPLACE(
        REPLACE(
          IIF($name GLOB 'void *', SUBSTR($name, 6), $name), '(anonymous namespace)::', ''
        ),
        '<unnamed>::',
        ''
      ) AS text
  ),
  qualified AS MATERIALIZED (
    SELECT
      text,
      COALESCE(
        REGEXP_EXTRACT(text, '^std::enable_if<.*, void>::type ([^<( ]+)'),
        REGEXP_EXTRACT(text, '^([^<( ]+)')
      ) AS path
    FROM declared
  ),
  called AS MATERIALIZED (
    SELECT
      text,
      path,
      REGEXP_EXTRACT(path, '([^:]+)$') AS fn,
      REGEXP_EXTRACT(text, '^[^<]*elementwise[a-z_]*<[0-9, ]*(.*)$') AS functor
    FROM qualified
  ),
  unwrapped AS MATERIALIZED (
    SELECT
      path,
      fn,
      COALESCE(REGEXP_EXTRACT(functor, '^at::native::gpu_kernel_impl[a-z_]*<(.*)$'), functor)
        AS functor
    FROM called
  ),
  held AS MATERIALIZED (
    SELECT
      path,
      fn,
      REGEXP_EXTRACT(
        COALESCE(
          REGEXP_EXTRACT(functor, '^at::native::[AB]UnaryFunctor<[^<(]*, ([^<( ]+[<(])'),
          REGEXP_EXTRACT(functor, '^at::native::[AB]UnaryFunctor<([^<( ,]+[<(])'),
          REGEXP_EXTRACT(functor, '^at::native::BinaryFunctor<[^<(]*, ([^<( ]+[<(])'),
          functor
        ),
        '^([^<( ,]+)'
      ) AS functor
    FROM unwrapped
  )
SELECT
  CASE
    WHEN $name GLOB '*.kd' THEN SUBSTR($name, 1, LENGTH($name) - 3)
    WHEN $name GLOB 'Mem[cs]*' OR NOT ($name GLOB '*[<(]*' OR $name GLOB '*::*') THEN $name
    WHEN fn IN ('elementwise_kernel', 'elementwise_kernel_manual_unroll',
      'unrolled_elementwise_kernel') OR fn GLOB 'vectorized*_elementwise_kernel' THEN
      COALESCE('elementwise ' || REGEXP_EXTRACT(functor, '([^:]+)$'), fn)
    WHEN LOWER(fn) IN ('kernel', 'device_kernel', 'run', 'apply') THEN
      COALESCE(REGEXP_EXTRACT(path, '([^:]+::[^:]+)$'), fn)
    ELSE COALESCE(fn, $name)
  END
FROM held;
