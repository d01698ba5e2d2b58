-- Parts of collectives: a kernel, or on the CPU the annotation that gloo leaves.

INCLUDE PERFETTO MODULE tpt.arg;

INCLUDE PERFETTO MODULE tpt.process_rank;

INCLUDE PERFETTO MODULE tpt.track;

INCLUDE PERFETTO MODULE tpt.kernel_turn;

INCLUDE PERFETTO MODULE tpt.collective.kind;

INCLUDE PERFETTO MODULE tpt.collective.args;

-- The part that each rank has in a collective. The rank arrives when it is the turn of its kernel.
CREATE PERFETTO TABLE tpt_collective_part(
  -- Id of its slice.
  id JOINID(slice.id),
  -- Its track.
  track_id JOINID(track.id),
  -- Name of the kernel, or of the annotation.
  name STRING,
  -- Its rank; NULL in the trace of one rank.
  rank LONG,
  -- The process that its track belongs to.
  upid JOINID(process.id),
  -- Its device; NULL on the CPU.
  device LONG,
  -- Its stream; on the CPU the track of the thread.
  stream LONG,
  -- Its track, as `tpt_track_key!` has it.
  track_key LONG,
  -- Its start, ns.
  ts TIMESTAMP,
  -- 1 where that may be a PDL start, so that the rank arrives later; else 0.
  is_pdl_start BOOL,
  -- When the rank arrives, ns.
  arrival TIMESTAMP,
  -- Its end, ns.
  ts_end TIMESTAMP,
  -- all_reduce, all_gather, ...; unknown where its name does not say.
  kind STRING,
  -- Name of its process group; NULL without args.
  process_group STRING,
  -- Description of its process group; NULL without args.
  process_group_desc STRING,
  -- Ranks that take part, as the profiler writes them; NULL without args.
  members STRING,
  -- How many ranks take part; NULL without args.
  group_size LONG,
  -- Its number within the process group; NULL where the profiler does not give one.
  seq LONG,
  -- Id that all its kernels share; NULL where the profiler gives none, or one above 2^63.
  comms_id STRING,
  -- Rank that sends; NULL for collectives, and where nothing says it.
  src_rank LONG,
  -- Rank that receives; NULL for collectives, and where nothing says it.
  dst_rank LONG,
  -- PyTorch's name of the element type; NULL without args.
  dtype STRING,
  -- Bytes that the rank puts in; NULL without args, or where the size of the dtype is unknown.
  in_bytes LONG,
  -- Bytes that the rank gets out; NULL like in_bytes.
  out_bytes LONG,
  -- The size as nccl-tests defines it (github.com/NVIDIA/nccl-tests, doc/PERFORMANCE.md): of
  -- all-gather, gather, reduce-scatter, scatter and all-to-all the whole, not a rank's share; NULL
  -- like in_bytes.
  bytes LONG,
  -- Number that `tp-tools merge` gave to the collective; NULL: it found no other part of it.
  merged_as LONG
) AS
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
      tpt_track.upid,
      NULL,
      tpt_track.track_key,
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
    JOIN tpt_track USING (track_id)
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
  tpt_track_key!(tpt_track.tid, tpt_track.track_key, slice.arg_set_id) AS track_key,
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
  tpt_int_arg!(slice.arg_set_id, 'tpt_collective') AS merged_as
FROM kernel
JOIN slice USING (id)
JOIN tpt_track ON tpt_track.track_id = kernel.track_id
ORDER BY kernel.id;

-- The matches that `tp-tools merge` found: a slice each in its process "collectives (all ranks)".
CREATE PERFETTO TABLE tpt_collective_merged(
  -- Number that it gave to the collective.
  merged_as LONG,
  -- comms_id, seq, order or time.
  matched_by STRING,
  -- certain; tested: by order or time, and all ranks were in it at one moment; uncertain.
  confidence STRING,
  -- How many ranks take part; NULL where nothing says it.
  ranks_expected LONG
) AS
SELECT
  tpt_int_arg!(arg_set_id, 'tpt_collective') AS merged_as,
  tpt_arg!(arg_set_id, 'matched_by') AS matched_by,
  tpt_arg!(arg_set_id, 'confidence') AS confidence,
  tpt_int_arg!(arg_set_id, 'ranks_expected') AS ranks_expected
FROM slice
WHERE
  category = 'collective' AND tpt_arg!(arg_set_id, 'tpt_collective') IS NOT NULL
ORDER BY merged_as;
