-- Roofline: arithmetic and memory traffic of ops by shape, achieved, against what the GPU can do.
--
-- Operations and bytes follow from the shapes that record_shapes writes; see tpt.op_cost for each
-- formula and its source. GPU time is that of the kernels of an op; where kernels run at once it is
-- more than has passed. Work of which the shapes do not tell what it did has rows with the reason,
-- so that gpu_ns adds up to all GPU work (total_ns in kernels). The peaks are those of the GPU that
-- the trace names, as tp-tools reads it; in the Query tab set it, or the peaks themselves.
--
-- Grain: one row per rank, op, shapes and type, and per rank, op and reason for what is not known.
-- Scope: rank
-- Needs: kernel, gpu_memcpy, gpu_memset, launch_calls, cpu_op
-- Set: rank RANGE  only these ranks
-- Set: steps RANGE  only work launched in these steps, by their number in steps (with tpt.step
--   needing user_annotation, gpu_user_annotation)
-- Set: gpu TEXT = ''  name of the GPU, such as 'NVIDIA H200' or MI300X; that of the trace by itself
-- Set: peak FLOAT  what it computes at most, of any type, 1e12 operations per second
-- Set: bandwidth FLOAT  what its memory moves at most, 1e9 bytes per second
-- Shown first: rank, op, dims, gpu_ns, bound, mfu_percent, bandwidth_percent, calls, tflops, gbps,
--   reason
-- Paste: what `tp-tools sql roofline` prints runs in the Query tab of any Perfetto UI.

INCLUDE PERFETTO MODULE tpt.gpu_peak;

INCLUDE PERFETTO MODULE tpt.launched;

INCLUDE PERFETTO MODULE tpt.op;

INCLUDE PERFETTO MODULE tpt.op_cost;

INCLUDE PERFETTO MODULE tpt.op_input;

WITH
  peak AS MATERIALIZED (
    SELECT dtype, tflops, gbps
    FROM tpt_gpu_peak
    WHERE
      pattern = (
        SELECT pattern
        FROM tpt_gpu_peak
        WHERE
          UPPER(tpt_set_gpu!()) GLOB pattern
          -- a part of a GPU does a part of what the whole does
          AND NOT UPPER(tpt_set_gpu!()) GLOB '* MIG *'
        ORDER BY LENGTH(pattern) DESC, pattern
        LIMIT 1
      )
  ),
  owner AS MATERIALIZED (
    SELECT * FROM tpt_op_owner
  ),
  -- each piece of work with the op whose formula it is of, else the op that launched it
  work AS MATERIALIZED (
    SELECT
      work.rank,
      work.dur,
      COALESCE(owner.owner, op.seq) AS seq,
      -- fp32 products in the tensor cores' 19 bits
      work.name GLOB '*tf32*' OR work.name GLOB '*s1688*' OR work.name GLOB 'nvjet_s*' AS is_tf32,
      CASE
        -- within the device they are memory traffic of an op as any other
        WHEN work.kind = 'copy' AND NOT work.name GLOB '*[Mm]emset*'
          AND NOT work.name GLOB '*DtoD*' AND NOT work.name GLOB '*DeviceToDevice*' THEN 'copy'
        WHEN work.kind = 'collective' THEN 'communication'
        WHEN op.seq IS NOT NULL THEN IIF(owner.owner IS NULL, 'no formula', NULL)
        WHEN work.launch_id IS NULL THEN 'launch not recorded'
        WHEN work.launch_name GLOB '*GraphLaunch*' THEN 'graph replay'
        ELSE 'outside ops'
      END AS reason
    FROM tpt_op_of_work AS op
    CROSS JOIN tpt_launched AS work USING (id)
    LEFT JOIN owner USING (seq)
    WHERE
      (work.rank IS NULL OR tpt_set_rank!(work.rank))
      AND tpt_set_steps!((SELECT number FROM tpt_step_work WHERE id = work.id))
  ),
  -- a call of an op; copies to other places and collectives that it launched are apart
  called AS MATERIALIZED (
    SELECT
      rank,
      seq,
      reason,
      COUNT(*) AS events,
      SUM(dur) AS gpu_ns,
      MAX(is_tf32) AS is_tf32
    FROM work
    GROUP BY rank, seq, reason
  ),
  cost AS MATERIALIZED (
    SELECT * FROM tpt_op_cost
  ),
  told AS (
    SELECT
      called.rank,
      op.name AS op,
      IIF(called.reason IS NULL, cost.kind, NULL) AS kind,
      IIF(
        called.reason IS NULL AND cost.flops IS NOT NULL,
        IIF(
          cost.dtype = 'fp32' AND called.is_tf32 AND cost.uses_matrix_units, 'tf32', cost.dtype
        ),
        NULL
      ) AS dtype,
      IIF(called.reason IS NULL AND COALESCE(cost.flops, cost.bytes) IS NOT NULL, cost.dims, NULL)
        AS dims,
      IIF(called.reason IS NULL, cost.flops, NULL) AS flops,
      IIF(called.reason IS NULL, cost.bytes, NULL) AS bytes,
      COALESCE(called.reason, cost.reason) AS reason,
      called.seq,
      called.events,
      called.gpu_ns
    FROM called
    LEFT JOIN tpt_op AS op USING (seq)
    LEFT JOIN cost USING (seq)
  ),
  total AS (
    SELECT
      told.rank,
      told.op,
      told.kind,
      told.dims,
      told.dtype,
      told.flops,
      told.bytes,
      told.reason,
      COUNT(told.seq) AS calls,
      SUM(told.events) AS gpu_events,
      SUM(told.gpu_ns) AS gpu_ns,
      COALESCE(CAST(tpt_set_peak!() AS DOUBLE), MAX(peak.tflops)) AS peak_tflops,
      COALESCE(CAST(tpt_set_bandwidth!() AS DOUBLE), (SELECT MAX(gbps) FROM peak)) AS peak_gbps
    FROM told
    LEFT JOIN peak USING (dtype)
    GROUP BY
      told.rank,
      told.op,
      told.kind,
      told.dims,
      told.dtype,
      told.flops,
      told.bytes,
      told.reason
  )
SELECT
  -- rank; NULL in the trace of one rank
  rank,
  -- the op whose formula it is: the one that launched the work, or that this one is part of, as
  -- aten::convolution of aten::cudnn_convolution; NULL: work of no op
  op,
  -- gemm, grouped gemm, attention, convolution, norm, softmax, reduction, elementwise; NULL without
  -- a formula
  kind,
  -- shapes of the inputs; NULL where what it does is not known
  dims,
  -- the peak that it is compared with: fp64, fp32, tf32 (where the kernels are named so), fp16,
  -- bf16, fp8, fp4, int8; NULL likewise, and where it is not known of these types
  dtype,
  -- calls of the op
  calls,
  -- kernels, copies and memsets that they launched
  gpu_events,
  -- their durations, summed, ns; adds up to all GPU work of the rank
  gpu_ns,
  -- operations of a call; NULL where not known
  flops,
  -- bytes that a call reads and writes at least; NULL where not known
  bytes,
  -- achieved, 1e12 operations per second, 3 decimals; NULL where not known, or it took no time
  ROUND(flops * calls / 1e3 / NULLIF(gpu_ns, 0), 3) AS tflops,
  -- achieved, 1e9 bytes per second, 3 decimals; NULL likewise
  ROUND(1.0 * bytes * calls / NULLIF(gpu_ns, 0), 3) AS gbps,
  -- operations per byte, 3 decimals; NULL where one is not known
  ROUND(1.0 * flops / NULLIF(bytes, 0), 3) AS intensity,
  -- what the GPU computes of this type, 1e12 operations per second; NULL where it is not known
  IIF(flops IS NULL, NULL, peak_tflops) AS peak_tflops,
  -- what its memory moves, 1e9 bytes per second; NULL where it is not known
  IIF(COALESCE(flops, bytes) IS NULL, NULL, peak_gbps) AS peak_gbps,
  -- model FLOPs utilisation: tflops of peak_tflops, per cent, 2 decimals; NULL where one is not
  -- known
  ROUND(flops * calls / 10.0 / NULLIF(gpu_ns, 0) / peak_tflops, 2) AS mfu_percent,
  -- gbps of peak_gbps, per cent, 2 decimals: above 100 where inputs came from a cache; NULL
  -- likewise
  ROUND(100.0 * bytes * calls / NULLIF(gpu_ns, 0) / peak_gbps, 2) AS bandwidth_percent,
  -- compute where the arithmetic of the shapes takes longer than their bytes at the peaks, else
  -- memory; NULL where one is not known
  IIF(
    1.0 * flops / peak_tflops / 1e3 >= 1.0 * bytes / peak_gbps,
    'compute',
    IIF(flops IS NULL OR bytes IS NULL OR peak_tflops IS NULL OR peak_gbps IS NULL, NULL, 'memory')
  ) AS bound,
  -- why something is not known: as in tpt.op_cost; no formula (for the op); copy (to or from the
  -- host or another device, see copies) and communication (see collectives); launch not recorded,
  -- graph replay, outside ops, as in ops; NULL where operations and bytes are known
  reason
FROM total
ORDER BY rank, gpu_ns DESC, op, dims, dtype, flops, bytes, reason;
