-- What GPUs can do at most: arithmetic by type, and bytes from their memory.

-- Peaks of GPUs by name, of dense products (without structured sparsity), at the boost clock, one
-- row per GPU and type. Sources: NVIDIA's data sheets of V100, A100, H100, H200, L4, L40S and A10,
-- the Ada whitepaper (RTX 4090; products of 16 bits accumulate in 32), the Blackwell architecture
-- technical brief (HGX B200, B300), the data sheets of GB200 and GB300 NVL72, of which a GPU is a
-- 72nd; AMD's data sheets of MI210, MI300X, MI325X, MI350X and MI355X.
-- Where a sheet gives sparse numbers only, they are halved.
CREATE PERFETTO TABLE tpt_gpu_peak(
  -- The name, as GLOB pattern in capitals; of several that match the longest counts.
  pattern STRING,
  -- fp64, fp32, tf32 (products of fp32 in 19 bits), fp16, bf16, fp8, fp4, int8.
  dtype STRING,
  -- Tera (1e12) operations per second.
  tflops DOUBLE,
  -- Bandwidth of its memory, 1e9 bytes per second.
  gbps DOUBLE
) AS
WITH
  gpu(pattern, gbps, fp64, fp32, tf32, half, bf16, fp8, fp4, int8) AS (
    VALUES
      ('*V100-SXM2*', 900, 7.8, 15.7, NULL, 125, NULL, NULL, NULL, NULL),
      ('*V100-PCIE*', 900, 7, 14, NULL, 112, NULL, NULL, NULL, NULL),
      ('*A100-SXM4-40GB*', 1555, 9.7, 19.5, 156, 312, 312, NULL, NULL, 624),
      ('*A100-SXM4-80GB*', 2039, 9.7, 19.5, 156, 312, 312, NULL, NULL, 624),
      ('*A100-PCIE-40GB*', 1555, 9.7, 19.5, 156, 312, 312, NULL, NULL, 624),
      ('*A100 80GB PCIE*', 1935, 9.7, 19.5, 156, 312, 312, NULL, NULL, 624),
      ('*A10', 600, NULL, 31.2, 62.5, 125, 125, NULL, NULL, 250),
      ('*L4', 300, NULL, 30.3, 60, 121, 121, 242.5, NULL, 242.5),
      ('*L40S', 864, NULL, 91.6, 183, 362, 362, 733, NULL, 733),
      ('*RTX 4090', 1008, NULL, 82.6, 82.6, 165.2, 165.2, 330.3, NULL, 660.6),
      ('*H100 80GB HBM3*', 3350, 67, 67, 494.7, 989.4, 989.4, 1978.9, NULL, 1978.9),
      ('*H100 SXM*', 3350, 67, 67, 494.7, 989.4, 989.4, 1978.9, NULL, 1978.9),
      ('*H100 PCIE*', 2000, 51, 51, 378, 756, 756, 1513, NULL, 1513),
      ('*H100 NVL*', 3900, 60, 60, 417.5, 835.5, 835.5, 1670.5, NULL, 1670.5),
      ('*H200', 4800, 67, 67, 494.7, 989.4, 989.4, 1978.9, NULL, 1978.9),
      ('*B200', 8000, 37, 75, 1100, 2250, 2250, 4500, 9000, 4500),
      ('*GB200*', 8000, 40, 80, 1250, 2500, 2500, 5000, 10000, 5000),
      ('*B300*', 8000, 1.25, 75, 1100, 2250, 2250, 4500, 14000, NULL),
      ('*GB300*', 8000, 1.39, 80, 1250, 2500, 2500, 5000, 15000, NULL),
      ('*MI210*', 1638.4, 45.3, 45.3, NULL, 181, 181, NULL, NULL, 181),
      ('*MI300X*', 5300, 163.4, 163.4, 653.7, 1307.4, 1307.4, 2614.9, NULL, 2614.9),
      ('*MI325X*', 6000, 163.4, 163.4, 653.7, 1307.4, 1307.4, 2614.9, NULL, 2614.9),
      ('*MI350X*', 8000, 72.1, 144.2, NULL, 2306.9, 2306.9, 4613.7, 9227.5, 4613.7),
      ('*MI355X*', 8000, 78.6, 157.3, NULL, 2516.6, 2516.6, 5033.2, 10066.3, 5033.2)
  )
SELECT pattern, 'fp64' AS dtype, fp64 AS tflops, gbps FROM gpu
UNION ALL
SELECT pattern, 'fp32', fp32, gbps FROM gpu
UNION ALL
SELECT pattern, 'tf32', tf32, gbps FROM gpu
UNION ALL
SELECT pattern, 'fp16', half, gbps FROM gpu
UNION ALL
SELECT pattern, 'bf16', bf16, gbps FROM gpu
UNION ALL
SELECT pattern, 'fp8', fp8, gbps FROM gpu
UNION ALL
SELECT pattern, 'fp4', fp4, gbps FROM gpu
UNION ALL
SELECT pattern, 'int8', int8, gbps FROM gpu;
