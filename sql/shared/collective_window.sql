-- Compute that runs on a rank's device while it is in a collective, from its arrival to its end.
-- Time counts once, however many kernels run. NULL: on the CPU.
CREATE OR REPLACE PERFETTO TABLE tpt_collective_cover AS
WITH
  used AS MATERIALIZED (
    SELECT upid, device, MIN(stream) AS first_stream, MAX(stream) AS last_stream
    FROM tpt_collective_part
    WHERE
      device IS NOT NULL
    GROUP BY upid, device
  ),
  -- on the stream of the only collectives there is nothing beside them
  compute AS MATERIALIZED (
    SELECT it.upid, it.device, it.turn, it.ts_end
    FROM tpt_kernel_turn AS it
    JOIN used USING (upid, device)
    WHERE
      it.kind = 'compute' AND (it.stream != used.first_stream OR it.stream != used.last_stream)
  ),
  point AS (
    SELECT upid, device, turn AS at, 1 AS step, NULL AS id FROM compute
    UNION ALL
    SELECT upid, device, ts_end, -1, NULL FROM compute
    UNION ALL
    SELECT upid, device, arrival, 0, id FROM tpt_collective_part WHERE device IS NOT NULL
    UNION ALL
    SELECT upid, device, ts_end, 0, id FROM tpt_collective_part WHERE device IS NOT NULL
  ),
  piece AS (
    SELECT
      id,
      upid,
      device,
      at,
      at - LAG(at) OVER device_order AS passed,
      SUM(step) OVER (
        device_order
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
      ) AS running
    FROM point
    WINDOW device_order AS (PARTITION BY upid, device ORDER BY at)
  ),
  total AS (
    SELECT
      id,
      SUM(IIF(running > 0, passed, 0)) OVER (
        PARTITION BY upid, device
        ORDER BY at
        RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
      ) AS compute_ns
    FROM piece
  )
SELECT id, MAX(compute_ns) - MIN(compute_ns) AS compute_ns
FROM total
WHERE
  id IS NOT NULL
GROUP BY id
ORDER BY id;

-- The step, by name, in which each part of a collective starts: the ProfilerStep that the GPU shows
-- on its row, else the one of the rank's CPU. None: outside of steps.
CREATE OR REPLACE PERFETTO TABLE tpt_collective_step AS
WITH
  step AS MATERIALIZED (
    SELECT
      ROW_NUMBER() OVER (ORDER BY s.ts, s.id) AS seq,
      s.name,
      s.ts,
      s.ts + s.dur AS ts_end,
      tpt_process_rank.rank,
      tpt_row.upid,
      IIF(
        tpt_row.tid IS NULL,
        tpt_row.row_id,
        COALESCE(EXTRACT_ARG(s.arg_set_id, 'args.tpt_tid'), tpt_row.tid)
      ) AS row_id,
      s.category = 'gpu_user_annotation' AS is_on_gpu
    FROM slice AS s
    JOIN tpt_row USING (track_id)
    LEFT JOIN tpt_process_rank USING (upid)
    WHERE
      s.category IN ('user_annotation', 'gpu_user_annotation') AND s.name GLOB 'ProfilerStep*'
  ),
  point AS (
    SELECT
      seq,
      NULL AS id,
      ts AS at,
      rank,
      IIF(is_on_gpu, upid, -1) AS upid,
      IIF(is_on_gpu, row_id, -1) AS row_id
    FROM step
    UNION ALL
    SELECT NULL, id, ts, rank, upid, row_id FROM tpt_collective_part
    UNION ALL
    SELECT NULL, id, ts, rank, -1, -1 FROM tpt_collective_part
  ),
  latest AS (
    SELECT
      id,
      at,
      upid,
      MAX(seq) OVER (
        PARTITION BY rank, upid, row_id
        ORDER BY at, id IS NOT NULL
        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
      ) AS seq
    FROM point
  )
-- the name is from the row of the maximum, as always in SQLite: the GPU's before the CPU's
SELECT latest.id, step.name, MAX(latest.upid) AS upid
FROM latest
JOIN step USING (seq)
WHERE
  latest.id IS NOT NULL AND latest.at < step.ts_end
GROUP BY latest.id
ORDER BY latest.id;

-- Each rank in each collective.
CREATE OR REPLACE PERFETTO TABLE tpt_collective_rank AS
SELECT
  part.id,
  part.track_id,
  part.name,
  part.rank,
  part.upid,
  part.device,
  part.stream,
  part.ts,
  part.is_pdl_start,
  part.arrival,
  part.ts_end,
  part.kind,
  part.process_group,
  part.process_group_desc,
  part.members,
  matched.group_size,
  part.seq,
  part.src_rank,
  part.dst_rank,
  part.dtype,
  part.in_bytes,
  part.out_bytes,
  part.bytes,
  part.merged_as,
  matched.match_id,
  matched.matched_by,
  matched.confidence,
  matched.sequence,
  MAX(part.arrival) OVER (PARTITION BY matched.match_id) - part.arrival AS wait_ns,
  part.id = FIRST_VALUE(part.id) OVER (
    PARTITION BY matched.match_id
    ORDER BY part.arrival DESC, part.rank, part.id
  ) AS is_last,
  cover.compute_ns,
  step.name AS step
FROM tpt_collective_part AS part
JOIN tpt_collective_match AS matched USING (id)
LEFT JOIN tpt_collective_cover AS cover USING (id)
LEFT JOIN tpt_collective_step AS step USING (id)
ORDER BY part.id;

-- Each collective, from the first arrival to the last end.
--
-- Bandwidths are those of nccl-tests (github.com/NVIDIA/nccl-tests, doc/PERFORMANCE.md, and for
-- gather, scatter and messages src/*.cu): algbw = size / time, busbw = algbw * factor, with n the
-- size of the group; GB is 1e9 bytes. Its ranks start together: here time is from the last arrival.
CREATE OR REPLACE PERFETTO TABLE tpt_collective_window AS
WITH
  total AS (
    SELECT
      match_id,
      MIN(IIF(kind IN ('send', 'recv'), 'send_recv', kind)) AS kind,
      MIN(merged_as) AS merged_as,
      MAX(matched_by) AS matched_by,
      MAX(confidence) AS confidence,
      MAX(sequence) AS sequence,
      MIN(process_group) AS process_group,
      MIN(process_group_desc) AS process_group_desc,
      MIN(members) AS members,
      MIN(seq) AS seq,
      MAX(src_rank) AS src_rank,
      MAX(dst_rank) AS dst_rank,
      MAX(dtype) AS dtype,
      MAX(bytes) AS bytes,
      AVG(in_bytes) AS mean_in_bytes,
      MAX(in_bytes) AS max_in_bytes,
      AVG(out_bytes) AS mean_out_bytes,
      MAX(out_bytes) AS max_out_bytes,
      COUNT(*) AS ranks,
      IIF(MAX(kind IN ('send', 'recv')), 2, MAX(group_size)) AS group_size,
      SUM(is_pdl_start) AS pdl_starts,
      MIN(arrival) AS first_arrival,
      MAX(arrival) AS last_arrival,
      MAX(ts_end) AS window_end,
      SUM(wait_ns) AS wait_ns,
      SUM(compute_ns) AS compute_ns
    FROM tpt_collective_rank
    GROUP BY match_id
  ),
  expected AS (
    SELECT
      *,
      -- where the trace does not say how many ranks there are: the most that ever come
      COALESCE(
        group_size,
        MAX(COALESCE(group_size, ranks)) OVER (PARTITION BY sequence)
      ) AS ranks_expected,
      CASE kind
        WHEN 'all_reduce' THEN 2.0 * (group_size - 1) / group_size
        WHEN 'all_gather' THEN 1.0 * (group_size - 1) / group_size
        WHEN 'reduce_scatter' THEN 1.0 * (group_size - 1) / group_size
        WHEN 'all_to_all' THEN 1.0 * (group_size - 1) / group_size
        WHEN 'gather' THEN 1.0 * (group_size - 1) / group_size
        WHEN 'scatter' THEN 1.0 * (group_size - 1) / group_size
        WHEN 'broadcast' THEN 1.0
        WHEN 'reduce' THEN 1.0
        WHEN 'send_recv' THEN 1.0
      END AS bus_factor
    FROM total
  )
SELECT
  expected.match_id,
  COALESCE(
    expected.merged_as,
    IFNULL(MAX(expected.merged_as) OVER () + 1, 0)
    + ROW_NUMBER() OVER (
      PARTITION BY expected.merged_as IS NULL
      ORDER BY expected.first_arrival, expected.match_id
    ) - 1
  ) AS collective,
  expected.kind,
  expected.matched_by,
  expected.confidence,
  expected.process_group,
  expected.process_group_desc,
  expected.members,
  expected.seq,
  expected.src_rank,
  expected.dst_rank,
  expected.dtype,
  expected.bytes,
  -- bytes per ns are GB/s
  1.0 * expected.bytes / NULLIF(expected.window_end - expected.last_arrival, 0) AS algbw,
  expected.bus_factor * expected.bytes
  / NULLIF(expected.window_end - expected.last_arrival, 0) AS busbw,
  expected.max_in_bytes / NULLIF(expected.mean_in_bytes, 0) AS in_imbalance,
  expected.max_out_bytes / NULLIF(expected.mean_out_bytes, 0) AS out_imbalance,
  expected.ranks,
  expected.ranks_expected,
  expected.pdl_starts,
  expected.first_arrival,
  expected.last_arrival,
  expected.window_end,
  (expected.last_arrival - expected.first_arrival) / 1e3 AS skew_us,
  (expected.window_end - expected.last_arrival) / 1e3 AS transfer_us,
  expected.wait_ns / 1e3 AS wait_us,
  expected.compute_ns / 1e3 AS hidden_compute_us,
  last.rank AS straggler,
  last.step,
  last.name,
  last.id AS slice_id,
  last.track_id
FROM expected
JOIN (SELECT * FROM tpt_collective_rank WHERE is_last) AS last USING (match_id)
ORDER BY expected.match_id;
