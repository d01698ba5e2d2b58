-- When it was each kernel's turn: at its start, or, where it overlaps the one ahead of it on its
-- stream, when that ended. Under programmatic dependent launch (PDL) kernels start early and wait.
CREATE OR REPLACE PERFETTO TABLE tpt_kernel_turn AS
WITH
  ordered AS (
    SELECT
      id,
      upid,
      device,
      stream,
      kind,
      ts,
      ts_end,
      MAX(ts_end) OVER (
        PARTITION BY upid, device, stream
        ORDER BY ts, ts_end, id
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
      ) AS ahead_end
    FROM tpt_gpu_slice
    WHERE
      kind != 'copy'
  )
SELECT
  id,
  upid,
  device,
  stream,
  kind,
  -- what outlasts a kernel is not what it waited for
  IIF(ahead_end > ts AND ahead_end < ts_end, ahead_end, ts) AS turn,
  ts_end
FROM ordered
ORDER BY id;

-- What each rank does for a collective: a kernel, or on the CPU the annotation that gloo leaves.
-- The rank arrives when it is that kernel's turn.
--
-- `bytes` is what nccl-tests calls the size: of all-gather, gather, reduce-scatter, scatter and
-- all-to-all the whole, not a rank's share (github.com/NVIDIA/nccl-tests, doc/PERFORMANCE.md).
CREATE OR REPLACE PERFETTO TABLE tpt_collective_part AS
WITH
  kernel AS (
    SELECT
      it.id,
      it.track_id,
      it.name,
      it.rank,
      it.upid,
      it.device,
      it.stream,
      it.ts,
      it.ts_end,
      tpt_kernel_turn.turn AS arrival,
      it.collective AS kind,
      it.process_group,
      it.process_group_desc,
      it.ranks AS members,
      it.group_size,
      it.seq,
      it.comms_id,
      IIF(it.collective = 'send', it.rank, it.src_rank) AS src_rank,
      IIF(it.collective = 'recv', it.rank, it.dst_rank) AS dst_rank,
      it.dtype,
      it.in_bytes,
      it.out_bytes
    FROM tpt_collective AS it
    JOIN tpt_kernel_turn USING (id)
    UNION ALL
    SELECT
      s.id,
      s.track_id,
      s.name,
      tpt_process_rank.rank,
      tpt_row.upid,
      NULL,
      tpt_row.row_id,
      s.ts,
      s.ts + s.dur,
      s.ts,
      COALESCE(tpt_collective_by_arg(s.name), 'unknown'),
      NULL,
      NULL,
      NULL,
      NULL,
      NULL,
      NULL,
      NULL,
      NULL,
      NULL,
      NULL,
      NULL
    FROM slice AS s
    JOIN tpt_row USING (track_id)
    LEFT JOIN tpt_process_rank USING (upid)
    WHERE
      s.category = 'user_annotation' AND s.name GLOB 'gloo:*' AND s.dur >= 0
  )
SELECT
  kernel.id,
  kernel.track_id,
  kernel.name,
  kernel.rank,
  kernel.upid,
  kernel.device,
  kernel.stream,
  -- the row of its track, which all its lanes share
  IIF(
    tpt_row.tid IS NULL,
    tpt_row.row_id,
    COALESCE(EXTRACT_ARG(slice.arg_set_id, 'args.tpt_tid'), tpt_row.tid)
  ) AS row_id,
  kernel.ts,
  kernel.arrival > kernel.ts AS is_pdl_start,
  kernel.arrival,
  kernel.ts_end,
  kernel.kind,
  kernel.process_group,
  kernel.process_group_desc,
  kernel.members,
  kernel.group_size,
  kernel.seq,
  kernel.comms_id,
  kernel.src_rank,
  kernel.dst_rank,
  kernel.dtype,
  kernel.in_bytes,
  kernel.out_bytes,
  CASE
    WHEN kernel.kind IN ('all_gather', 'gather', 'recv') THEN kernel.out_bytes
    ELSE kernel.in_bytes
  END AS bytes,
  -- the number that `tp-tools merge` gave to the collective; NULL: it found no other part of it
  CAST(
    COALESCE(
      EXTRACT_ARG(slice.arg_set_id, 'args.tpt_collective'),
      EXTRACT_ARG(slice.arg_set_id, 'debug.args.tpt_collective')
    ) AS INT
  ) AS merged_as
FROM kernel
JOIN slice USING (id)
JOIN tpt_row ON tpt_row.track_id = kernel.track_id
ORDER BY kernel.id;
