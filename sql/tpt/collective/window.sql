-- Collectives across ranks: rank by rank, and as a whole.

INCLUDE PERFETTO MODULE tpt.collective.kind;

INCLUDE PERFETTO MODULE tpt.collective.part;

INCLUDE PERFETTO MODULE tpt.collective.match;

INCLUDE PERFETTO MODULE tpt.collective.context;

-- Each rank in each collective.
CREATE PERFETTO TABLE tpt_collective_rank(
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
  -- Its start, ns.
  ts TIMESTAMP,
  -- 1 where that may be a PDL start, else 0.
  is_pdl_start BOOL,
  -- Its arrival, ns: its start, or the end of the kernel ahead where that may be a PDL start.
  arrival TIMESTAMP,
  -- Its end, ns.
  ts_end TIMESTAMP,
  -- all_reduce, all_gather, reduce_scatter, all_to_all, broadcast, reduce, gather, scatter, send,
  -- recv, send_recv, barrier, dispatch, combine; unknown where its name does not say.
  kind STRING,
  -- Name of its process group; NULL without args.
  process_group STRING,
  -- Description of its process group; NULL without args.
  process_group_desc STRING,
  -- Ranks that take part, as the profiler writes them; NULL without args.
  members STRING,
  -- How many ranks take part; NULL where nothing says it.
  group_size LONG,
  -- Its number within the process group; NULL where the profiler does not give one.
  seq LONG,
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
  -- The size, see `tpt_collective_part`; NULL like in_bytes.
  bytes LONG,
  -- Number that `tp-tools merge` gave to the collective; NULL: it found no other part of it.
  merged_as LONG,
  -- Its collective, see `tpt_collective_match`.
  match_id JOINID(slice.id),
  -- How its parts were found: comms_id, seq, order, time; NULL where this is the only one.
  matched_by STRING,
  -- certain; tested: by order or time, and all ranks were in it at one moment; uncertain; alone.
  confidence STRING,
  -- The parts that are matched in order among themselves, see `tpt_collective_match`.
  sequence STRING,
  -- Last arrival of a rank - its own, ns.
  wait_ns DURATION,
  -- 1 for each rank that arrived last, later than another; else 0.
  is_last BOOL,
  -- 1 for the part that stands for all: the last to arrive, of several that of the lowest rank.
  is_shown BOOL,
  -- Compute on its device from arrival to end, ns; NULL on the CPU.
  compute_ns DURATION,
  -- Name of the step that launched it, as `steps` has it; NULL outside of steps.
  step STRING,
  -- Its number on its rank; NULL likewise.
  step_number LONG
) AS
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
  part.arrival = MAX(part.arrival) OVER (PARTITION BY matched.match_id)
  AND part.arrival > MIN(part.arrival) OVER (PARTITION BY matched.match_id) AS is_last,
  part.id = FIRST_VALUE(part.id) OVER (
    PARTITION BY matched.match_id
    ORDER BY part.arrival DESC, part.rank, part.id
  ) AS is_shown,
  cover.compute_ns,
  step.name AS step,
  step.number AS step_number
FROM tpt_collective_part AS part
JOIN tpt_collective_match AS matched USING (id)
LEFT JOIN tpt_collective_cover AS cover USING (id)
LEFT JOIN tpt_collective_step AS step USING (id)
ORDER BY part.id;

-- Each collective, from the first arrival to the last end.
--
-- Bandwidths are those of nccl-tests (github.com/NVIDIA/nccl-tests, doc/PERFORMANCE.md, and for
-- gather, scatter and messages src/*.cu): algbw = size / time, busbw = algbw * factor, with n the
-- size of the group. Its ranks start together: here time is from the last arrival.
CREATE PERFETTO TABLE tpt_collective_window(
  -- The collective, as in `tpt_collective_rank`.
  match_id JOINID(slice.id),
  -- Number of the collective in this trace, over all kinds.
  collective LONG,
  -- all_reduce, all_gather, reduce_scatter, all_to_all, broadcast, reduce, gather, scatter,
  -- send_recv, barrier, dispatch, combine; unknown where its name does not say.
  kind STRING,
  -- comms_id, seq: by the identity in args; order: by order within group or stream and size; time:
  -- by kernels that ran at the same moment; NULL with one rank.
  matched_by STRING,
  -- certain; tested: by order or time, and all ranks were in it at one moment; uncertain; alone:
  -- with one rank.
  confidence STRING,
  -- Name of its process group; NULL without args.
  process_group STRING,
  -- Description of its process group; NULL without args.
  process_group_desc STRING,
  -- Ranks that take part, as the profiler writes them; NULL without args.
  members STRING,
  -- Its number within the process group; NULL where the profiler does not give one.
  seq LONG,
  -- Rank that sends; NULL for collectives, and where nothing says it.
  src_rank LONG,
  -- Rank that receives; NULL for collectives, and where nothing says it.
  dst_rank LONG,
  -- PyTorch's name of the element type; NULL without args.
  dtype STRING,
  -- The size, see `tpt_collective_part`, of the rank that has most; NULL without args, or where the
  -- size of the dtype is unknown.
  bytes LONG,
  -- bytes / transfer_us, GB/s of 1e9 bytes; NULL where bytes is, and where transfer_us is 0.
  algbw DOUBLE,
  -- algbw * the factor of the kind for n ranks expected, GB/s; NULL where algbw or the size of the
  -- group is.
  busbw DOUBLE,
  -- Most bytes that a rank puts in / the mean; 1: all as many; NULL where bytes is.
  in_imbalance DOUBLE,
  -- Most bytes that a rank gets out / the mean; 1: all as many; NULL where bytes is.
  out_imbalance DOUBLE,
  -- Ranks whose kernel of it the trace holds.
  ranks LONG,
  -- Ranks that take part; where the trace does not give them: the most that ever come.
  ranks_expected LONG,
  -- Of the ranks in the trace, those whose start may be a PDL start.
  pdl_starts LONG,
  -- First arrival of a rank, ns.
  first_arrival TIMESTAMP,
  -- Last arrival of a rank, ns.
  last_arrival TIMESTAMP,
  -- Last end, ns.
  window_end TIMESTAMP,
  -- last_arrival - first_arrival, us.
  skew_us DOUBLE,
  -- window_end - last_arrival, us.
  transfer_us DOUBLE,
  -- Sum over the ranks of last_arrival - own arrival, us.
  wait_us DOUBLE,
  -- Compute on the same devices from arrival to end, summed over the ranks, us; NULL on the CPU.
  hidden_compute_us DOUBLE,
  -- The rank that arrived last; NULL where several did, as all do at a skew of 0, and in the trace
  -- of one rank.
  straggler LONG,
  -- The step that launched the kernel of the rank that arrived last; NULL outside of steps.
  step STRING,
  -- The number of that step on its rank; NULL likewise.
  step_number LONG,
  -- Name of its kernel; of several that arrived last the one of the lowest rank.
  name STRING,
  -- Id of the slice of that kernel in this trace; in the UI it makes the row a link.
  slice_id JOINID(slice.id),
  -- Id of its track in this trace.
  track_id JOINID(track.id)
) AS
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
      SUM(is_last) AS last_ranks,
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
      tpt_bus_factor(kind, group_size) AS bus_factor
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
  IIF(expected.last_ranks = 1, shown.rank, NULL) AS straggler,
  shown.step,
  shown.step_number,
  shown.name,
  shown.id AS slice_id,
  shown.track_id
FROM expected
JOIN (SELECT * FROM tpt_collective_rank WHERE is_shown) AS shown USING (match_id)
ORDER BY expected.match_id;
