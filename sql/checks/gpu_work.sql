-- How much GPU work of known devices a trace holds.
--
-- Asked by `query` where a question about a rank has no rows.
--
-- Grain: one row.
-- Scope: rank
SELECT
  -- how many kernels, copies and memsets
  COUNT(*) AS events
FROM slice
WHERE
  category IN ('kernel', 'gpu_memcpy', 'gpu_memset', 'cuda_graph', 'Kernel', 'Memcpy', 'Memset');
