-- Reduce-scatters across ranks: when they came, who came last, what the wire did then.
--
-- Arrivals, waits and windows are those of `allreduce`.
--
-- Grain: one row per reduce-scatter or scatter, over all its ranks.
-- Scope: job
-- Needs: kernel, user_annotation, gpu_user_annotation, collective
-- Args: device, stream

-- [[[cog shared("collective_window") ]]]

-- The rank of each process of a merged trace, by its name: "rank 3 (TP3 DP0) GPU 3", "[TP03] 3",
-- "[TP03-PP01] 3". Where TP numbers repeat, ranks are counted in the order of DP, PP, TP, EP.
-- NULL where the name says none: in the trace of one rank.
CREATE OR REPLACE PERFETTO TABLE tpt_process_rank AS
WITH
  label AS (
    SELECT
      upid,
      CAST(REGEXP_EXTRACT(name, '^\[?[Rr]ank[ _]?([0-9]+)') AS INT) AS rank,
      CAST(REGEXP_EXTRACT(name, '^\[[^ ]*TP([0-9]+)') AS INT) AS tp,
      COALESCE(CAST(REGEXP_EXTRACT(name, '^\[[^ ]*DP([0-9]+)') AS INT), 0) AS dp,
      COALESCE(CAST(REGEXP_EXTRACT(name, '^\[[^ ]*PP([0-9]+)') AS INT), 0) AS pp,
      COALESCE(CAST(REGEXP_EXTRACT(name, '^\[[^ ]*EP([0-9]+)') AS INT), 0) AS ep
    FROM process
  ),
  place AS (
    SELECT DISTINCT tp, dp, pp, ep FROM label WHERE tp IS NOT NULL
  ),
  numbered AS (
    SELECT
      *,
      IIF(
        (SELECT COUNT(*) = COUNT(DISTINCT tp) FROM place),
        tp,
        ROW_NUMBER() OVER (ORDER BY dp, pp, tp, ep) - 1
      ) AS rank
    FROM place
  )
SELECT label.upid, COALESCE(label.rank, numbered.rank) AS rank
FROM label
LEFT JOIN numbered USING (tp, dp, pp, ep)
ORDER BY label.upid;

-- The process of each track, and its row: a thread or stream with all its lanes has one number.
CREATE OR REPLACE PERFETTO TABLE tpt_row AS
SELECT
  track.id AS track_id,
  COALESCE(thread.upid, process_track.upid) AS upid,
  thread.tid,
  -- "stream 7", "thread 12 (python)": named tracks stand for rows in a .pftrace
  COALESCE(
    thread.tid,
    CAST(REGEXP_EXTRACT(track.name, '^[a-z]+ ([0-9]+)') AS INT),
    HASH(COALESCE(track.name, ''))
  ) AS row_id
FROM track
LEFT JOIN thread_track ON thread_track.id = track.id
LEFT JOIN thread USING (utid)
LEFT JOIN process_track ON process_track.id = track.id
ORDER BY track.id;

-- The collective that a kernel is, by its name alone; NULL: none. Custom kernels are told by the
-- name of the function: what stands between its namespaces and its template or arguments.
-- 'unknown' is a collective whose name does not say which: RCCL has one kernel for all.
CREATE OR REPLACE PERFETTO FUNCTION tpt_collective_by_name(name STRING)
RETURNS STRING AS
WITH
  qualified AS (
    SELECT
      REGEXP_EXTRACT(
        REPLACE(
          IIF($name GLOB 'void *', SUBSTR($name, 6), $name), '(anonymous namespace)::', ''
        ),
        '^([^<( ]+)'
      ) AS path
  ),
  called AS (
    SELECT path, REGEXP_EXTRACT(path, '([^:]+)$') AS fn FROM qualified
  )
SELECT
  CASE
    -- not collectives, whatever follows
    WHEN fn GLOB 'paged_attention*' OR fn GLOB '*splitKreduce*' OR fn GLOB 'kn_mla_reduce*'
      OR fn = 'reduce_kernel' OR fn GLOB 'triton_*_fused*' THEN NULL
    -- NCCL, RCCL, MSCCL
    WHEN fn GLOB 'nccl*Kernel*' OR fn GLOB 'msccl*Kernel*' THEN
      CASE
        WHEN fn GLOB '*AllReduce*' THEN 'all_reduce'
        WHEN fn GLOB '*ReduceScatter*' THEN 'reduce_scatter'
        WHEN fn GLOB '*AllGather*' THEN 'all_gather'
        WHEN fn GLOB '*AllToAll*' THEN 'all_to_all'
        WHEN fn GLOB '*SendRecv*' THEN 'send_recv'
        WHEN fn GLOB '*Broadcast*' THEN 'broadcast'
        WHEN fn GLOB '*Reduce*' THEN 'reduce'
        ELSE 'unknown'
      END
    -- vLLM, SGLang, AITER, PyTorch, TensorRT-LLM, FlashInfer, quickreduce
    WHEN fn GLOB 'cross_device_reduce_[12]stage*' OR fn GLOB '*all_reduce*'
      OR fn GLOB '*allreduce*' OR fn GLOB '*AllReduce*' THEN 'all_reduce'
    WHEN fn GLOB '*reduce_scatter*' OR fn GLOB '*reducescatter*'
      OR fn GLOB '*ReduceScatter*' THEN 'reduce_scatter'
    WHEN fn GLOB '*all_gather*' OR fn GLOB '*allgather*' OR fn GLOB '*AllGather*' THEN 'all_gather'
    WHEN fn GLOB '*all_to_all*' OR fn GLOB '*alltoall*' OR fn GLOB '*AllToAll*' THEN 'all_to_all'
    -- DeepEP, TensorRT-LLM
    WHEN path GLOB '*intranode::dispatch' OR path GLOB '*internode::dispatch'
      OR path GLOB '*internode_ll::dispatch' OR fn = 'moeA2ADispatchKernel' THEN 'dispatch'
    WHEN path GLOB '*intranode::combine' OR path GLOB '*internode::combine'
      OR path GLOB '*internode_ll::combine' OR fn = 'moeA2ACombineKernel' THEN 'combine'
  END
FROM called;

-- The same kinds, from what PyTorch calls the collective in `Collective name`.
CREATE OR REPLACE PERFETTO FUNCTION tpt_collective_by_arg(arg STRING)
RETURNS STRING AS
SELECT
  CASE
    WHEN $arg GLOB '*all*reduce*' THEN 'all_reduce'
    WHEN $arg GLOB '*reduce*scatter*' THEN 'reduce_scatter'
    WHEN $arg GLOB '*all*gather*' THEN 'all_gather'
    WHEN $arg GLOB '*all*to*all*' THEN 'all_to_all'
    WHEN $arg GLOB '*broadcast*' THEN 'broadcast'
    WHEN $arg GLOB '*reduce*' THEN 'reduce'
    WHEN $arg GLOB '*gather*' THEN 'gather'
    WHEN $arg GLOB '*scatter*' THEN 'scatter'
    WHEN $arg GLOB '*send*' THEN 'send'
    WHEN $arg GLOB '*recv*' THEN 'recv'
    WHEN $arg GLOB '*barrier*' THEN 'barrier'
  END;

-- GPU work: kernels, copies and memsets, from traces as recorded, repaired or merged, as JSON or
-- .pftrace. Annotations are no work. Device and stream are what the work itself says, else its row.
CREATE OR REPLACE PERFETTO TABLE tpt_gpu_slice AS
WITH
  work AS (
    SELECT
      s.id,
      s.ts,
      s.dur,
      s.name,
      s.track_id,
      s.category IN ('kernel', 'Kernel') AS is_kernel,
      COALESCE(
        EXTRACT_ARG(s.arg_set_id, 'args.device'),
        EXTRACT_ARG(s.arg_set_id, 'debug.args.device')
      ) AS device,
      COALESCE(
        EXTRACT_ARG(s.arg_set_id, 'args.stream'),
        EXTRACT_ARG(s.arg_set_id, 'debug.args.stream'),
        EXTRACT_ARG(s.arg_set_id, 'args.tpt_tid'),
        EXTRACT_ARG(s.arg_set_id, 'debug.args.tpt_tid')
      ) AS stream,
      COALESCE(
        EXTRACT_ARG(s.arg_set_id, 'args.correlation'),
        EXTRACT_ARG(s.arg_set_id, 'debug.args.correlation')
      ) AS correlation,
      COALESCE(
        EXTRACT_ARG(s.arg_set_id, 'args.Collective name'),
        EXTRACT_ARG(s.arg_set_id, 'debug.args.Collective name')
      ) AS collective_name
    FROM slice AS s
    WHERE
      s.category IN ('kernel', 'gpu_memcpy', 'gpu_memset', 'Kernel', 'Memcpy', 'Memset')
      AND s.dur >= 0
  ),
  kernel_name AS MATERIALIZED (
    SELECT name, tpt_collective_by_name(name) AS collective
    FROM (SELECT DISTINCT name FROM work WHERE is_kernel)
  )
SELECT
  work.id,
  work.ts,
  work.dur,
  work.ts + work.dur AS ts_end,
  work.name,
  work.track_id,
  tpt_process_rank.rank,
  tpt_row.upid,
  CAST(COALESCE(work.device, process.pid) AS INT) AS device,
  CAST(COALESCE(work.stream, tpt_row.row_id) AS INT) AS stream,
  -- the launch that it comes from, in a number that no two ranks share
  ((COALESCE(tpt_process_rank.rank, 0) + 1) << 40)
  + NULLIF(CAST(work.correlation AS INT), 0) AS launch_key,
  -- compute, collective, or copy: a memset is counted as one
  CASE
    WHEN NOT work.is_kernel THEN 'copy'
    WHEN COALESCE(work.collective_name, kernel_name.collective) IS NOT NULL THEN 'collective'
    ELSE 'compute'
  END AS kind,
  -- which collective it is; NULL: none
  IIF(
    work.is_kernel,
    IIF(
      work.collective_name IS NULL,
      kernel_name.collective,
      COALESCE(tpt_collective_by_arg(work.collective_name), kernel_name.collective, 'unknown')
    ),
    NULL
  ) AS collective
FROM work
CROSS JOIN tpt_row USING (track_id)
LEFT JOIN process USING (upid)
LEFT JOIN tpt_process_rank USING (upid)
LEFT JOIN kernel_name ON work.is_kernel AND kernel_name.name = work.name
ORDER BY work.id;

-- Bytes of an element, by PyTorch's name of its type; NULL: unknown. Packed types are 1 byte.
CREATE OR REPLACE PERFETTO FUNCTION tpt_dtype_bytes(dtype STRING)
RETURNS LONG AS
SELECT
  CASE
    WHEN $dtype IN ('ComplexDouble') THEN 16
    WHEN $dtype IN ('Double', 'Long', 'UInt64', 'ComplexFloat') THEN 8
    WHEN $dtype IN ('Float', 'Int', 'UInt32', 'QInt32', 'ComplexHalf') THEN 4
    WHEN $dtype IN ('Half', 'BFloat16', 'Short', 'UInt16', 'Bits16') THEN 2
    WHEN $dtype IN ('Byte', 'Char', 'Bool', 'QInt8', 'QUInt8', 'QUInt4x2', 'QUInt2x4', 'Bits8')
      OR $dtype GLOB 'Float8_*' OR $dtype GLOB 'Float4_*_x2' OR $dtype GLOB 'Bits[124]x*'
      OR $dtype GLOB 'Int[1-7]' OR $dtype GLOB 'UInt[1-7]' THEN 1
  END;

-- Collectives, with what the profiler says about them. All that is told by args is NULL where the
-- kernel has none: in graphs, and in custom kernels.
CREATE OR REPLACE PERFETTO TABLE tpt_collective AS
WITH
  found AS (
    SELECT
      work.*,
      slice.arg_set_id AS args,
      IIF(
        EXTRACT_ARG(slice.arg_set_id, 'debug.args.device') IS NULL, 'args.', 'debug.args.'
      ) AS prefix
    FROM tpt_gpu_slice AS work
    CROSS JOIN slice USING (id)
    WHERE
      work.collective IS NOT NULL
  ),
  told AS (
    SELECT
      found.*,
      EXTRACT_ARG(args, prefix || 'Collective name') AS collective_name,
      CAST(EXTRACT_ARG(args, prefix || 'Process Group Name') AS TEXT) AS process_group,
      EXTRACT_ARG(args, prefix || 'Process Group Description') AS process_group_desc,
      EXTRACT_ARG(args, prefix || 'Process Group Ranks') AS ranks,
      CAST(EXTRACT_ARG(args, prefix || 'Group size') AS INT) AS group_size,
      CAST(EXTRACT_ARG(args, prefix || 'Seq') AS INT) AS seq,
      -- above 2^63 a number does not survive the import of JSON: it becomes a negative float
      IIF(
        TYPEOF(EXTRACT_ARG(args, prefix || 'Comms Id')) IN ('text', 'integer'),
        CAST(EXTRACT_ARG(args, prefix || 'Comms Id') AS TEXT),
        NULL
      ) AS comms_id,
      CAST(EXTRACT_ARG(args, prefix || 'Src Rank') AS INT) AS src_rank,
      CAST(EXTRACT_ARG(args, prefix || 'Dst Rank') AS INT) AS dst_rank,
      EXTRACT_ARG(args, prefix || 'dtype') AS dtype,
      CAST(EXTRACT_ARG(args, prefix || 'In msg nelems') AS INT) AS in_elements,
      CAST(EXTRACT_ARG(args, prefix || 'Out msg nelems') AS INT) AS out_elements
    FROM found
  )
SELECT
  id,
  ts,
  dur,
  ts_end,
  name,
  track_id,
  rank,
  upid,
  device,
  stream,
  launch_key,
  collective,
  IIF(collective_name IS NULL, 'name', 'args') AS recognised_by,
  process_group,
  process_group_desc,
  ranks,
  group_size,
  seq,
  comms_id,
  src_rank,
  dst_rank,
  dtype,
  in_elements * tpt_dtype_bytes(dtype) AS in_bytes,
  out_elements * tpt_dtype_bytes(dtype) AS out_bytes
FROM told
ORDER BY id;

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

-- Which collectives of different ranks are one. What `tp-tools merge` found stands. In other
-- merges: by Comms Id, else by number within the process group, else by order within process group
-- (or stream), kind and bytes. Messages are matched by their two ranks and order: PyTorch writes
-- the Seq of the next collective on them, and a Comms Id made from that.
--
-- Order is tested against time: all ranks are in a collective at one moment. Where counts differ,
-- or time says otherwise, time decides, and nothing is matched where it does not.
CREATE OR REPLACE PERFETTO TABLE tpt_collective_match AS
WITH
  -- the process "collectives (all ranks)" of our merge has a slice for each match
  merged AS MATERIALIZED (
    SELECT
      CAST(EXTRACT_ARG(arg_set_id, prefix || 'tpt_collective') AS INT) AS merged_as,
      EXTRACT_ARG(arg_set_id, prefix || 'matched_by') AS matched_by,
      EXTRACT_ARG(arg_set_id, prefix || 'confidence') AS confidence,
      CAST(EXTRACT_ARG(arg_set_id, prefix || 'ranks_expected') AS INT) AS ranks_expected
    FROM (
      SELECT
        arg_set_id,
        IIF(EXTRACT_ARG(arg_set_id, 'args.kind') IS NULL, 'debug.args.', 'args.') AS prefix
      FROM slice
      WHERE
        category = 'collective'
    )
    WHERE
      EXTRACT_ARG(arg_set_id, prefix || 'tpt_collective') IS NOT NULL
  ),
  used_streams AS (
    SELECT kind, rank, STRING_AGG(stream, ' ' ORDER BY stream) AS streams
    FROM (SELECT DISTINCT kind, rank, stream FROM tpt_collective_part)
    GROUP BY kind, rank
  ),
  -- streams tell collectives apart where all ranks use the same ones
  stream_use AS MATERIALIZED (
    SELECT kind, COUNT(DISTINCT streams) = 1 AS is_same FROM used_streams GROUP BY kind
  ),
  described AS MATERIALIZED (
    SELECT
      part.*,
      part.kind IN ('send', 'recv') AS is_message,
      IFNULL(part.process_group, '') || ' ' || IFNULL(part.members, '') AS team,
      stream_use.is_same AND part.process_group IS NULL AS is_by_stream
    FROM tpt_collective_part AS part
    JOIN stream_use USING (kind)
  ),
  identified AS MATERIALIZED (
    SELECT
      id,
      rank,
      arrival,
      ts_end,
      group_size,
      CASE
        WHEN merged_as IS NOT NULL THEN 'merge'
        WHEN is_message OR (SELECT MAX(merged_as) FROM tpt_collective_part) IS NOT NULL THEN NULL
        WHEN comms_id IS NOT NULL THEN 'comms_id'
        WHEN seq IS NOT NULL AND process_group IS NOT NULL THEN 'seq'
      END AS method,
      CASE
        WHEN merged_as IS NOT NULL THEN merged_as
        WHEN comms_id IS NOT NULL THEN comms_id
        ELSE kind || ' ' || seq || ' ' || team
      END AS identity,
      IIF(
        is_message,
        FORMAT('message %d %d %d %s', src_rank, dst_rank, bytes, team),
        FORMAT(
          '%s %s %d %s',
          kind,
          IIF(is_by_stream, stream, ''),
          -- what ranks send to all the others need not be as much
          IIF(kind = 'all_to_all', NULL, bytes),
          team
        )
      ) AS sequence,
      IIF(
        is_message,
        src_rank IS NOT NULL AND dst_rank IS NOT NULL,
        (SELECT MAX(merged_as) FROM tpt_collective_part) IS NULL
      ) AS may_follow
    FROM described
  ),
  by_identity AS (
    SELECT
      id,
      method,
      identity || ' ' || IIF(
        method = 'merge',
        '',
        -- one operation may be several kernels: the n-th belongs to the n-th
        ROW_NUMBER() OVER (PARTITION BY method, identity, rank ORDER BY arrival, id)
      ) AS label
    FROM identified
    WHERE
      method IS NOT NULL
  ),
  counted AS (
    SELECT sequence, rank, COUNT(*) AS parts, MAX(group_size) AS group_size
    FROM identified
    WHERE
      method IS NULL AND may_follow
    GROUP BY sequence, rank
  ),
  -- a sequence of more ranks than its group has is of several groups that cannot be told apart
  candidate AS MATERIALIZED (
    SELECT
      ROW_NUMBER() OVER (ORDER BY sequence) AS sequence_id,
      sequence,
      COUNT(*) AS ranks,
      MIN(parts) AS fewest,
      MIN(parts) = MAX(parts) AS is_equal
    FROM counted
    GROUP BY sequence
    HAVING COUNT(*) > 1 AND COUNT(*) <= IFNULL(MAX(group_size), COUNT(*))
  ),
  follower AS (
    SELECT
      it.id,
      it.rank,
      it.arrival,
      it.ts_end,
      candidate.sequence_id,
      candidate.ranks,
      ROW_NUMBER() OVER (
        PARTITION BY candidate.sequence_id, it.rank
        ORDER BY it.arrival, it.id
      ) AS nth,
      MIN(it.ts_end, LAG(it.ts_end) OVER ended)
      - MAX(it.arrival, LAG(it.arrival) OVER ended) AS shared,
      MIN(it.ts_end - it.arrival, LAG(it.ts_end - it.arrival) OVER ended) AS shorter
    FROM identified AS it
    JOIN candidate USING (sequence)
    WHERE
      it.method IS NULL AND it.may_follow
    WINDOW ended AS (PARTITION BY candidate.sequence_id ORDER BY it.ts_end, it.id)
  ),
  -- parts of one collective end together, so the next to end shares half of the shorter's time
  placed AS MATERIALIZED (
    SELECT
      id,
      rank,
      arrival,
      ts_end,
      sequence_id,
      ranks,
      nth,
      SUM(IFNULL(2 * shared <= shorter, TRUE)) OVER (
        PARTITION BY sequence_id
        ORDER BY ts_end, id
        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
      ) AS moment
    FROM follower
  ),
  attempt AS MATERIALIZED (
    SELECT
      sequence_id,
      'order' AS method,
      nth AS place,
      TRUE AS is_possible,
      COUNT(*) = ranks AND MAX(arrival) < MIN(ts_end) AS is_good
    FROM placed
    GROUP BY sequence_id, nth
    UNION ALL
    SELECT
      sequence_id,
      'time',
      moment,
      COUNT(*) = COUNT(DISTINCT rank) AND COUNT(*) > 1,
      COUNT(*) = ranks AND COUNT(DISTINCT rank) = ranks AND MAX(arrival) < MIN(ts_end)
    FROM placed
    GROUP BY sequence_id, moment
  ),
  tried AS (
    SELECT
      sequence_id,
      SUM(is_good AND method = 'order') AS good_by_order,
      SUM(is_good AND method = 'time') AS good_by_time
    FROM attempt
    GROUP BY sequence_id
  ),
  chosen AS MATERIALIZED (
    SELECT
      candidate.sequence_id,
      CASE
        WHEN candidate.is_equal AND tried.good_by_order >= tried.good_by_time THEN 'order'
        WHEN tried.good_by_time > 0 THEN 'time'
      END AS method,
      -- some fit by chance: no more than what they take of the time
      2 * MAX(tried.good_by_order, tried.good_by_time) >= candidate.fewest AS is_trusted
    FROM candidate
    JOIN tried USING (sequence_id)
  ),
  by_sequence AS (
    SELECT
      it.id,
      it.method,
      it.place || ' ' || it.sequence_id AS label,
      it.is_trusted AND attempt.is_good AS is_tested
    FROM (
      SELECT
        placed.id,
        placed.sequence_id,
        IIF(chosen.method = 'order', placed.nth, placed.moment) AS place,
        chosen.method,
        chosen.is_trusted
      FROM placed
      JOIN chosen USING (sequence_id)
    ) AS it
    -- in this order: SQLite would look up the places of a sequence for each of its parts
    CROSS JOIN attempt
      ON attempt.sequence_id = it.sequence_id
      AND attempt.method = it.method
      AND attempt.place = it.place
    WHERE
      attempt.is_possible
  ),
  labelled AS (
    SELECT id, method, label, 'certain' AS confidence FROM by_identity
    UNION ALL
    SELECT id, method, label, IIF(is_tested, 'tested', 'uncertain') FROM by_sequence
  )
SELECT
  part.id,
  -- the lowest id of its parts stands for the collective
  MIN(part.id) OVER same AS match_id,
  IIF(
    COUNT(*) OVER same = 1,
    NULL,
    IIF(labelled.method = 'merge', merged.matched_by, labelled.method)
  ) AS matched_by,
  IIF(
    COUNT(*) OVER same = 1,
    'alone',
    IIF(labelled.method = 'merge', merged.confidence, labelled.confidence)
  ) AS confidence,
  COALESCE(part.group_size, merged.ranks_expected) AS group_size,
  identified.sequence
FROM tpt_collective_part AS part
JOIN identified USING (id)
LEFT JOIN labelled USING (id)
LEFT JOIN merged ON merged.merged_as = part.merged_as
WINDOW same AS (PARTITION BY IFNULL(labelled.method, 'alone'), IFNULL(labelled.label, part.id))
ORDER BY part.id;

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

-- [[[end]]]

SELECT
  -- number of the collective in this trace, over all kinds
  collective,
  -- reduce_scatter; scatter, where the parts come from one rank
  kind,
  -- name of its process group; NULL without args
  process_group,
  -- description of its process group; NULL without args
  process_group_desc,
  -- its number within the process group; NULL where the profiler does not give one
  seq,
  -- ranks of which the trace holds a kernel of it
  ranks,
  -- ranks that take part; where the trace does not say it: the most that such a one has
  ranks_expected,
  -- certain; tested: by order or time, and all ranks were in it at one moment; uncertain;
  -- alone: with one rank
  confidence,
  -- the rank that arrived last; NULL in the trace of one rank
  straggler,
  -- last_arrival - first_arrival, us
  skew_us,
  -- sum over the ranks of last_arrival - own arrival, us
  wait_us,
  -- window_end - last_arrival, us
  transfer_us,
  -- bytes of the whole, what each rank reduces; NULL without args, or where the size of the dtype
  -- is unknown
  bytes,
  -- PyTorch's name of the element type; NULL without args
  dtype,
  -- bytes / transfer_us, GB/s of 1e9 bytes; NULL where bytes is
  algbw,
  -- algbw * (n - 1) / n with n ranks expected, GB/s; NULL where bytes or the size of the group is
  busbw,
  -- compute on the same devices from arrival to end, summed over the ranks, us; NULL on the CPU
  hidden_compute_us,
  -- comms_id, seq: by what the profiler says; order: by order within group or stream and size;
  -- time: by what ran at the same moment; NULL with one rank
  matched_by,
  -- of the ranks in the trace, those whose start may be a PDL start
  pdl_starts,
  -- the ProfilerStep in which the straggler's kernel starts; NULL outside of steps
  step,
  -- first arrival of a rank, ns
  first_arrival,
  -- last arrival of a rank, ns
  last_arrival,
  -- last end, ns
  window_end,
  -- name of the straggler's kernel
  name,
  -- id of the straggler's slice in this trace; in the UI it makes the row a link
  slice_id,
  -- id of its track in this trace
  track_id
FROM tpt_collective_window
WHERE
  kind IN ('reduce_scatter', 'scatter')
ORDER BY first_arrival, collective;
