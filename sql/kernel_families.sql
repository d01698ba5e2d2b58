-- GPU time by family of kernels: GEMM, attention, norm, elementwise, communication, copies, ...
--
-- The family is told by the kernel's name; a fused kernel is of one family. `other` holds kernels
-- that no rule knows. Times are sums of durations and add up to all GPU work (total_ns in kernels).
--
-- Grain: one row per rank and family.
-- Scope: rank
-- Needs: kernel, gpu_memcpy, gpu_memset
-- Set: rank RANGE  only these ranks
-- Set: steps RANGE  only work launched in these steps, by their number in steps (with tpt.step
--   needing launch_calls, op_marks, user_annotation, gpu_user_annotation)
-- Set: name TEXT = '*'  only names that match this pattern: * is any text, ? any character
-- Shown first: rank, family, count, total_ns, total_percent, top_name, top_ns
-- Kernel names: top_name
-- Paste: what `tp-tools sql kernel_families` prints runs in the Query tab of any Perfetto UI.

INCLUDE PERFETTO MODULE tpt.gpu_slice;

INCLUDE PERFETTO MODULE tpt.kernel_family;

WITH
  by_name AS (
    SELECT
      work.rank,
      family.family,
      name,
      COUNT(*) AS count,
      SUM(work.dur) AS total_ns,
      SUM(IIF(family.is_plain_product, work.dur, 0)) AS plain_product_ns
    FROM tpt_gpu_slice AS work
    CROSS JOIN tpt_name_family AS family USING (name, kind)
    WHERE
      (work.rank IS NULL OR tpt_set_rank!(work.rank))
      AND tpt_set_steps!((SELECT number FROM tpt_step_work WHERE id = work.id))
      AND name GLOB tpt_set_name!()
    GROUP BY work.rank, family.family, name
  ),
  ranked AS (
    SELECT
      *,
      ROW_NUMBER() OVER (PARTITION BY rank, family ORDER BY total_ns DESC, name) AS place
    FROM by_name
  )
SELECT
  -- rank; NULL in the trace of one rank
  rank,
  -- communication, copy, attention, kv cache, moe routing, grouped gemm (a product per expert),
  -- convolution, gemm, rope, norm, quantisation, embedding, optimizer, recurrent, softmax, sort,
  -- pooling, layout (transposes, gathers), reduction, elementwise, other
  family,
  -- how many ran
  SUM(count) AS count,
  -- how many different names they have
  COUNT(*) AS names,
  -- their durations, summed, ns
  SUM(total_ns) AS total_ns,
  -- total_ns as share of all rows of this rank, per cent, 3 decimals; NULL where that is 0
  ROUND(
    100.0 * SUM(total_ns) / NULLIF(SUM(SUM(total_ns)) OVER (PARTITION BY rank), 0), 3
  ) AS total_percent,
  -- mean duration, ns, rounded
  CAST(ROUND(1.0 * SUM(total_ns) / SUM(count)) AS INT) AS mean_ns,
  -- the name with the most time of them
  MAX(IIF(place = 1, name, NULL)) AS top_name,
  -- its durations, summed, ns
  MAX(IIF(place = 1, total_ns, NULL)) AS top_ns,
  -- of total_ns, in products of fp32 that no tensor core computes, as their names say
  -- (ampere_sgemm_..., cudnn_..._scudnn_...), ns; kernels whose names say nothing do not count
  SUM(plain_product_ns) AS plain_product_ns
FROM ranked
GROUP BY rank, family
ORDER BY rank, total_ns DESC, family;
