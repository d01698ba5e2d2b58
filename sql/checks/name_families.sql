-- Families of kernels by name: of each name of GPU work in the trace.
--
-- Asked by `diff` about a list of names, each a slice.
--
-- Grain: one row per name.
-- Scope: rank
-- Needs: kernel

INCLUDE PERFETTO MODULE tpt.kernel_family;

SELECT
  -- name of the kernel
  name,
  -- its family, see kernel_families
  family
FROM tpt_name_family
ORDER BY name;
