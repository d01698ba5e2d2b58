-- Launch shapes of kernels: grid, block, and how much of the GPU they can fill.

INCLUDE PERFETTO MODULE tpt.arg;

INCLUDE PERFETTO MODULE tpt.gpu_slice;

-- Kernels with the shape that they were launched in, as far as it is recorded. Profilers of AMD
-- GPUs write grid and block alone, or neither.
--
-- Kineto's occupancy (libkineto/src/CudaDeviceProperties.cpp, kernelOccupancy) is
--   MIN(blocks per SM, blocks that registers, threads and shared memory let one SM hold)
--     * threads of a block / threads that an SM holds,
-- where it takes the grid to be spread evenly. It writes 0 where the CUDA calculator finds no room
-- for a block at all, as for shared memory beyond the default limit, which kernels opt in to. A
-- kernel that ran had room: with one block on an SM of 64 warps, the most that there are, it would
-- have had at least warps per block / 64 of it, or of a grid smaller than the SMs its share.
CREATE PERFETTO TABLE tpt_kernel_shape(
  -- Id of its slice.
  id JOINID(slice.id),
  -- Blocks in x, y, z: 512 x 4 x 1; NULL where not recorded.
  grid STRING,
  -- Threads of a block in x, y, z; NULL likewise.
  block STRING,
  -- Registers of a thread; NULL likewise.
  registers LONG,
  -- Shared memory of a block, bytes; NULL likewise.
  shared_memory LONG,
  -- Blocks of the grid by multiprocessors of the GPU; below 1 some have nothing to do. NULL
  -- likewise.
  blocks_per_sm DOUBLE,
  -- The same in warps; NULL likewise.
  warps_per_sm DOUBLE,
  -- Estimated occupancy, per cent; NULL where not recorded, or not computed by the profiler.
  occupancy_percent LONG,
  -- Why occupancy_percent is NULL: not recorded; not computed (the profiler wrote 0 or less, though
  -- the kernel's own block would be more). NULL where it is known.
  reason STRING
) AS
WITH
  recorded AS (
    SELECT
      work.id,
      tpt_shape!(slice.arg_set_id, 'grid') AS grid,
      tpt_shape!(slice.arg_set_id, 'block') AS block,
      tpt_int_arg!(slice.arg_set_id, 'registers per thread') AS registers,
      tpt_int_arg!(slice.arg_set_id, 'shared memory') AS shared_memory,
      CAST(tpt_arg!(slice.arg_set_id, 'blocks per SM') AS DOUBLE) AS blocks_per_sm,
      CAST(tpt_arg!(slice.arg_set_id, 'warps per SM') AS DOUBLE) AS warps_per_sm,
      -- its name until PyTorch 1.9
      COALESCE(
        tpt_int_arg!(slice.arg_set_id, 'est. achieved occupancy %'),
        tpt_int_arg!(slice.arg_set_id, 'theoretical occupancy %')
      ) AS occupancy_percent
    FROM tpt_gpu_slice AS work
    CROSS JOIN slice USING (id)
    WHERE
      work.kind != 'copy'
  ),
  judged AS (
    SELECT
      *,
      -- it is rounded to whole per cent: 0 stands for less than half of one
      occupancy_percent < 0
      OR (
        occupancy_percent = 0
        AND COALESCE(100.0 * warps_per_sm / MAX(blocks_per_sm, 1.0) / 64, 0) >= 0.5
      ) AS is_impossible
    FROM recorded
  )
SELECT
  id,
  grid,
  block,
  registers,
  shared_memory,
  IIF(blocks_per_sm > 0, blocks_per_sm, NULL) AS blocks_per_sm,
  IIF(warps_per_sm > 0, warps_per_sm, NULL) AS warps_per_sm,
  IIF(is_impossible, NULL, occupancy_percent) AS occupancy_percent,
  CASE
    WHEN occupancy_percent IS NULL THEN 'not recorded'
    WHEN is_impossible THEN 'not computed'
  END AS reason
FROM judged
ORDER BY id;
