-- Occupancy: how full of warps each kernel keeps the GPU, by the shape that it is launched in.
--
-- The profiler estimates it from grid, block, registers and shared memory; nothing is measured. A
-- high one is no aim in itself: GEMMs on tensor cores need few warps. Where the profiler found no
-- room for a block (0, of a kernel that ran) it is not known. Means are weighted by duration, over
-- the kernels of which the number is known.
--
-- Grain: one row per rank, kernel name and kind.
-- Scope: rank
-- Needs: kernel, gpu_memcpy, gpu_memset
-- Set: rank RANGE  only these ranks
-- Set: steps RANGE  only work launched in these steps, by their number in steps (with tpt.step
--   needing launch_calls, op_marks, user_annotation, gpu_user_annotation)
-- Set: name TEXT = '*'  only names that match this pattern: * is any text, ? any character
-- Shown first: rank, name, count, total_ns, occupancy_percent, blocks_per_sm, underfilled_ns, grid,
--   block, reason
-- Kernel names: name
-- Paste: what `tp-tools sql occupancy` prints runs in the Query tab of any Perfetto UI.

INCLUDE PERFETTO MODULE tpt.gpu_slice;

INCLUDE PERFETTO MODULE tpt.kernel_shape;

WITH
  kernel AS MATERIALIZED (
    SELECT work.rank, work.name, work.kind, work.dur, shape.*
    FROM tpt_gpu_slice AS work
    CROSS JOIN tpt_kernel_shape AS shape USING (id)
    WHERE
      (work.rank IS NULL OR tpt_set_rank!(work.rank))
      AND tpt_set_steps!((SELECT number FROM tpt_step_work WHERE id = work.id))
      AND work.name GLOB tpt_set_name!()
  ),
  shape AS MATERIALIZED (
    SELECT
      rank,
      name,
      kind,
      grid,
      block,
      registers,
      shared_memory,
      COUNT(*) OVER (PARTITION BY rank, name, kind) AS shapes,
      ROW_NUMBER() OVER (
        PARTITION BY rank, name, kind
        ORDER BY SUM(dur) DESC, grid, block, registers, shared_memory
      ) AS place
    FROM kernel
    GROUP BY rank, name, kind, grid, block, registers, shared_memory
  ),
  total AS (
    SELECT
      rank,
      name,
      kind,
      COUNT(*) AS count,
      SUM(dur) AS total_ns,
      SUM(occupancy_percent * dur) AS weighted_occupancy,
      SUM(IIF(occupancy_percent IS NULL, 0, dur)) AS known_ns,
      MIN(occupancy_percent) AS min_occupancy_percent,
      MAX(occupancy_percent) AS max_occupancy_percent,
      SUM(blocks_per_sm * dur) / NULLIF(SUM(IIF(blocks_per_sm IS NULL, 0, dur)), 0)
        AS blocks_per_sm,
      SUM(warps_per_sm * dur) / NULLIF(SUM(IIF(warps_per_sm IS NULL, 0, dur)), 0) AS warps_per_sm,
      SUM(IIF(blocks_per_sm < 1, dur, 0)) AS underfilled_ns,
      SUM(IIF(blocks_per_sm < 1, dur * (1 - blocks_per_sm), 0)) AS empty_ns,
      COUNT(blocks_per_sm) AS with_blocks,
      -- the reason of the most time
      IIF(
        SUM(IIF(reason = 'not computed', dur + 1, 0))
        > SUM(IIF(reason = 'not recorded', dur + 1, 0)),
        'not computed',
        MAX(reason)
      ) AS reason
    FROM kernel
    GROUP BY rank, name, kind
  )
SELECT
  -- rank; NULL in the trace of one rank
  total.rank,
  -- name of the kernel
  total.name,
  -- compute or collective
  total.kind,
  -- how many ran
  total.count,
  -- their durations, summed, ns; with copies in kernels all GPU work
  total.total_ns,
  -- warps that an SM holds at a time, as share of what it could hold, per cent, 2 decimals; NULL
  -- where known of none
  ROUND(1.0 * total.weighted_occupancy / NULLIF(total.known_ns, 0), 2) AS occupancy_percent,
  -- the least of them, per cent; NULL likewise
  total.min_occupancy_percent,
  -- the largest of them, per cent; NULL likewise
  total.max_occupancy_percent,
  -- of total_ns, in kernels whose occupancy is known, ns
  total.known_ns,
  -- why it is not known of the others: not recorded, or not computed (the profiler wrote 0, though
  -- a block was there); the reason of most of their time; NULL where known of all
  total.reason,
  -- blocks of the grid by multiprocessors of the GPU, 3 decimals; NULL where not recorded
  ROUND(total.blocks_per_sm, 3) AS blocks_per_sm,
  -- warps of the grid by multiprocessors of the GPU, 3 decimals; NULL where not recorded
  ROUND(total.warps_per_sm, 3) AS warps_per_sm,
  -- of total_ns, in kernels with fewer blocks than the GPU has multiprocessors, ns; NULL where
  -- blocks_per_sm is recorded of none
  IIF(total.with_blocks, total.underfilled_ns, NULL) AS underfilled_ns,
  -- of underfilled_ns, the share of the multiprocessors that have no block, as time of a whole GPU,
  -- ns, rounded; NULL likewise. The TensorBoard plugin takes the others for its SM efficiency
  IIF(total.with_blocks, CAST(ROUND(total.empty_ns) AS INT), NULL) AS empty_ns,
  -- in how many different shapes it was launched
  shape.shapes,
  -- of the shape with the most time, blocks in x, y, z; NULL where not recorded
  shape.grid,
  -- and threads of a block in x, y, z; NULL likewise
  shape.block,
  -- and registers of a thread; NULL likewise
  shape.registers,
  -- and shared memory of a block, bytes; NULL likewise
  shape.shared_memory
FROM total
LEFT JOIN shape
  ON shape.name = total.name
  AND shape.kind = total.kind
  AND shape.rank IS total.rank
  AND shape.place = 1
ORDER BY total.rank, total.total_ns DESC, total.name, total.kind;
