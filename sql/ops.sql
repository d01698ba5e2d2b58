-- CPU ops by name: calls, self and total CPU time, and GPU time of the kernels that they launched.
--
-- An op lies in another where it starts in it, on the same thread, and ends in it, or outlasts it
-- by at most 1 us, as clocks are read one after the other. Time in an op called by itself counts
-- once. Work belongs to the innermost op around its launch call; where there is no such call or no
-- op around it, to the op of its External id. GPU times are sums of durations.
--
-- Grain: one row per rank and op name.
-- Scope: rank
-- Needs: kernel, gpu_memcpy, gpu_memset, cuda_runtime, cuda_driver, xpu_runtime, cpu_op

-- [[[cog shared("gpu_slice", "launch") ]]]

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

-- Calls of the CUDA, HIP or XPU runtime and driver. What repairs trimmed is as recorded.
CREATE OR REPLACE PERFETTO TABLE tpt_call AS
WITH
  call AS (
    SELECT
      s.ts,
      COALESCE(
        CAST(ROUND(EXTRACT_ARG(s.arg_set_id, 'args.tpt_recorded_dur') * 1000) AS INT),
        CAST(ROUND(EXTRACT_ARG(s.arg_set_id, 'debug.args.tpt_recorded_dur') * 1000) AS INT),
        s.dur
      ) AS dur,
      s.name,
      tpt_process_rank.rank,
      tpt_row.upid,
      IIF(
        tpt_row.tid IS NULL,
        tpt_row.row_id,
        COALESCE(
          EXTRACT_ARG(s.arg_set_id, 'args.tpt_tid'),
          EXTRACT_ARG(s.arg_set_id, 'debug.args.tpt_tid'),
          tpt_row.tid
        )
      ) AS row_id,
      CAST(
        COALESCE(
          EXTRACT_ARG(s.arg_set_id, 'args.correlation'),
          EXTRACT_ARG(s.arg_set_id, 'debug.args.correlation')
        ) AS INT
      ) AS correlation
    FROM slice AS s
    CROSS JOIN tpt_row USING (track_id)
    LEFT JOIN tpt_process_rank USING (upid)
    WHERE
      s.category IN ('cuda_runtime', 'cuda_driver', 'xpu_runtime', 'Runtime')
  )
SELECT
  ((COALESCE(rank, 0) + 1) << 40) + NULLIF(correlation, 0) AS launch_key,
  ts,
  dur,
  ts + dur AS ts_end,
  name,
  rank,
  upid,
  row_id
FROM call
ORDER BY launch_key;

-- The call that launched GPU work, by the work's `launch_key`. Where several share it, the first.
CREATE OR REPLACE PERFETTO TABLE tpt_launch AS
SELECT launch_key, MIN(ts) AS ts, dur, ts_end, name, rank, upid, row_id
FROM tpt_call
WHERE
  launch_key IS NOT NULL
GROUP BY launch_key
ORDER BY launch_key;

-- [[[end]]]

-- GPU work by the call that launched it.
CREATE OR REPLACE PERFETTO TABLE tpt_work_of_launch AS
SELECT
  launch_key,
  COUNT(*) AS events,
  SUM(dur) AS gpu_ns
FROM tpt_gpu_slice
WHERE
  launch_key IS NOT NULL
GROUP BY launch_key
ORDER BY launch_key;

-- Ops, and the calls that launched work as ops that take no time.
CREATE OR REPLACE PERFETTO TABLE tpt_op_or_launch AS
SELECT
  tpt_process_rank.rank,
  tpt_row.upid,
  IIF(
    tpt_row.tid IS NULL,
    tpt_row.row_id,
    COALESCE(
      EXTRACT_ARG(s.arg_set_id, 'args.tpt_tid'),
      EXTRACT_ARG(s.arg_set_id, 'debug.args.tpt_tid'),
      tpt_row.tid
    )
  ) AS row_id,
  s.ts,
  COALESCE(
    CAST(ROUND(EXTRACT_ARG(s.arg_set_id, 'args.tpt_recorded_dur') * 1000) AS INT),
    CAST(ROUND(EXTRACT_ARG(s.arg_set_id, 'debug.args.tpt_recorded_dur') * 1000) AS INT),
    s.dur
  ) AS dur,
  s.name,
  CAST(
    COALESCE(
      EXTRACT_ARG(s.arg_set_id, 'args.External id'),
      EXTRACT_ARG(s.arg_set_id, 'debug.args.External id')
    ) AS INT
  ) AS external_id,
  NULL AS launch_key
FROM slice AS s
CROSS JOIN tpt_row USING (track_id)
LEFT JOIN tpt_process_rank USING (upid)
WHERE
  s.category IN ('cpu_op', 'Operator') AND s.dur >= 0
UNION ALL
SELECT rank, upid, row_id, ts, 0, NULL, NULL, launch_key
FROM tpt_launch
CROSS JOIN tpt_work_of_launch USING (launch_key);

-- The same, thread after thread on one time axis; `seq` is the order of their starts.
CREATE OR REPLACE PERFETTO TABLE tpt_op AS
WITH
  axis AS MATERIALIZED (
    SELECT
      MIN(ts) AS first,
      -- further apart than what counts as within
      MAX(ts + dur) - MIN(ts) + 10000 AS length
    FROM tpt_op_or_launch
  ),
  thread_row AS MATERIALIZED (
    SELECT upid, row_id, ROW_NUMBER() OVER (ORDER BY upid, row_id) AS number
    FROM (SELECT DISTINCT upid, row_id FROM tpt_op_or_launch)
  ),
  placed AS (
    SELECT
      op.rank,
      op.dur,
      op.name,
      op.external_id,
      op.launch_key,
      op.ts - axis.first + thread_row.number * axis.length AS start
    FROM tpt_op_or_launch AS op
    CROSS JOIN thread_row USING (upid, row_id)
    CROSS JOIN axis
  )
SELECT
  ROW_NUMBER() OVER (ORDER BY start, dur DESC, name) AS seq,
  start,
  start + dur AS stop,
  rank,
  dur,
  name,
  external_id,
  launch_key
FROM placed;

-- The op that each lies in, 0 for none. One pass over all in their order: `top` is the innermost op
-- that may still be open, `below` those around it, with their ends. Where the next one does not lie
-- in it, the top is taken off, else the next becomes the top.
CREATE OR REPLACE PERFETTO TABLE tpt_op_parent AS
WITH RECURSIVE
  op AS MATERIALIZED (
    SELECT seq, start, stop FROM tpt_op
  ),
  -- how much an op may outlast the one that it lies in, ns
  answer(lies_in, tolerance_ns) AS (
    VALUES (0, 1000), (1, 1000)
  ),
  walk(next, start, parent, parent_stop, top, top_stop, below) AS (
    SELECT 1, NULL, NULL, NULL, 0, 1 << 62, ''
    UNION ALL
    SELECT
      next + lies_in,
      op.start,
      IIF(lies_in, top, NULL),
      top_stop,
      IIF(lies_in, op.seq, CAST(SUBSTR(below, -32, 12) AS INT)),
      IIF(lies_in, op.stop, CAST(SUBSTR(below, -20) AS INT)),
      IIF(
        lies_in,
        below || PRINTF('%012d%020d', top, top_stop),
        SUBSTR(below, 1, LENGTH(below) - 32)
      )
    FROM walk
    CROSS JOIN op ON op.seq = walk.next
    CROSS JOIN answer ON answer.lies_in = (
      top_stop > op.start
      AND op.stop
      <= top_stop + IIF(top_stop - op.start > answer.tolerance_ns, answer.tolerance_ns, 0)
    )
  )
SELECT next - 1 AS seq, parent, start, MIN(top_stop, parent_stop) AS stop
FROM walk
WHERE
  parent IS NOT NULL;

-- Ops that launched work themselves, with that work.
CREATE OR REPLACE PERFETTO TABLE tpt_op_work AS
WITH
  launched AS (
    SELECT op.launch_key, parent.parent AS seq
    FROM tpt_op_parent AS parent
    CROSS JOIN tpt_op AS op USING (seq)
    WHERE
      op.launch_key IS NOT NULL AND parent.parent > 0
  ),
  in_op AS (
    SELECT launched.seq, work.events, work.gpu_ns
    FROM launched
    CROSS JOIN tpt_work_of_launch AS work USING (launch_key)
  ),
  elsewhere AS (
    SELECT
      work.rank,
      work.dur,
      CAST(
        COALESCE(
          EXTRACT_ARG(slice.arg_set_id, 'args.External id'),
          EXTRACT_ARG(slice.arg_set_id, 'debug.args.External id')
        ) AS INT
      ) AS external_id
    FROM tpt_gpu_slice AS work
    CROSS JOIN slice USING (id)
    WHERE
      work.launch_key IS NULL OR work.launch_key NOT IN (SELECT launch_key FROM launched)
  ),
  op_of_id AS MATERIALIZED (
    SELECT COALESCE(rank, -1) AS rank, external_id, MAX(seq) AS seq
    FROM tpt_op
    WHERE
      external_id IS NOT NULL
    GROUP BY 1, 2
  ),
  by_id AS (
    SELECT op_of_id.seq, 1 AS events, elsewhere.dur AS gpu_ns
    FROM elsewhere
    CROSS JOIN op_of_id
      ON op_of_id.external_id = elsewhere.external_id
      AND op_of_id.rank = COALESCE(elsewhere.rank, -1)
  )
SELECT seq, SUM(events) AS events, SUM(gpu_ns) AS gpu_ns
FROM (SELECT * FROM in_op UNION ALL SELECT * FROM by_id)
GROUP BY seq
ORDER BY seq;

-- Each op with the time that it spends in no other op, and whether it runs within one of its name.
CREATE OR REPLACE PERFETTO TABLE tpt_op_time AS
WITH
  child AS (
    SELECT
      parent AS seq,
      start,
      stop,
      MAX(stop) OVER (
        PARTITION BY parent ORDER BY seq ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
      ) AS covered_until
    FROM tpt_op_parent
    WHERE
      parent > 0
  ),
  covered AS MATERIALIZED (
    SELECT seq, SUM(MAX(0, stop - MAX(start, COALESCE(covered_until, start)))) AS covered_ns
    FROM child
    GROUP BY seq
  )
SELECT
  op.seq,
  op.rank,
  op.name,
  op.dur,
  op.dur - COALESCE(covered.covered_ns, 0) AS self_ns,
  COALESCE(
    MAX(op.stop) OVER (
      PARTITION BY op.name ORDER BY op.seq ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ),
    0
  ) >= op.stop AS is_recursive
FROM tpt_op AS op
LEFT JOIN covered USING (seq)
WHERE
  op.launch_key IS NULL
ORDER BY op.seq;

WITH RECURSIVE
  parent AS MATERIALIZED (
    SELECT seq, parent FROM tpt_op_parent WHERE parent > 0
  ),
  around(work_seq, seq) AS (
    SELECT seq, seq FROM tpt_op_work
    UNION ALL
    SELECT around.work_seq, parent.parent
    FROM around
    CROSS JOIN parent USING (seq)
  ),
  named AS (
    SELECT DISTINCT around.work_seq, op.rank, op.name
    FROM around
    CROSS JOIN tpt_op AS op USING (seq)
  ),
  total_work AS (
    SELECT named.rank, named.name, SUM(work.events) AS events, SUM(work.gpu_ns) AS gpu_ns
    FROM named
    CROSS JOIN tpt_op_work AS work ON work.seq = named.work_seq
    GROUP BY named.rank, named.name
  ),
  called AS (
    SELECT
      op.rank,
      op.name,
      COUNT(*) AS calls,
      SUM(IIF(op.is_recursive, 0, op.dur)) AS total_ns,
      SUM(op.self_ns) AS self_ns,
      SUM(work.gpu_ns) AS self_gpu_ns
    FROM tpt_op_time AS op
    LEFT JOIN tpt_op_work AS work USING (seq)
    GROUP BY op.rank, op.name
  )
SELECT
  -- rank; NULL in the trace of one rank
  called.rank,
  -- name of the op
  called.name,
  -- how often it was called
  called.calls,
  -- CPU time in it, ns; in calls from itself once
  called.total_ns,
  -- CPU time in it and in no op that it called, ns
  called.self_ns,
  -- kernels, copies and memsets launched in it or in ops that it called
  COALESCE(total_work.events, 0) AS gpu_events,
  -- their durations, summed, ns
  COALESCE(total_work.gpu_ns, 0) AS gpu_ns,
  -- of that, launched in no op that it called, ns
  COALESCE(called.self_gpu_ns, 0) AS self_gpu_ns
FROM called
LEFT JOIN total_work ON total_work.rank IS called.rank AND total_work.name = called.name
ORDER BY called.rank, self_gpu_ns DESC, called.self_ns DESC, called.name;
