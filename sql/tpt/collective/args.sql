-- Collective kernels, with the arguments that the profiler gives them, or gives their launch.

INCLUDE PERFETTO MODULE tpt.arg;

INCLUDE PERFETTO MODULE tpt.gpu_slice;

INCLUDE PERFETTO MODULE tpt.collective.annotation;

INCLUDE PERFETTO MODULE tpt.collective.kind;

-- Bytes of an element of a tensor. Packed types count as 1 byte.
CREATE PERFETTO FUNCTION tpt_dtype_bytes(
  -- PyTorch's name of the element type.
  dtype STRING
)
-- Bytes; NULL: unknown type.
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

-- Each collective kernel. Where it carries no args, the annotation in which it was launched gives
-- its kind: NCCL runs an all-to-all as a SendRecv kernel. Columns that come from args are NULL
-- where neither has args: in graphs, and in custom kernels.
CREATE PERFETTO TABLE tpt_collective(
  -- Id of its slice.
  id JOINID(slice.id),
  -- Its start, ns.
  ts TIMESTAMP,
  -- Its duration, ns.
  dur DURATION,
  -- Its end, ns.
  ts_end TIMESTAMP,
  -- Name of the kernel.
  name STRING,
  -- Its track.
  track_id JOINID(track.id),
  -- Its rank; NULL in the trace of one rank.
  rank LONG,
  -- The process that its track belongs to.
  upid JOINID(process.id),
  -- Its device.
  device LONG,
  -- Its stream.
  stream LONG,
  -- The launch that it comes from, see `tpt_launch`; NULL where the profiler gives none.
  launch_key LONG,
  -- all_reduce, all_gather, reduce_scatter, all_to_all, broadcast, reduce, gather, scatter, send,
  -- recv, send_recv, barrier, dispatch, combine; unknown where its name does not say.
  collective STRING,
  -- args: the profiler says which collective it is; annotation: the one around its launch does;
  -- name: only the kernel's name does.
  recognised_by STRING,
  -- Name of its process group; NULL without args.
  process_group STRING,
  -- Description of its process group; NULL without args.
  process_group_desc STRING,
  -- Ranks that take part, as the profiler writes them: past 30 the list is cut; NULL without args.
  ranks STRING,
  -- How many ranks take part; NULL without args.
  group_size LONG,
  -- Its number within the process group; NULL where the profiler does not give one.
  seq LONG,
  -- Id that all its kernels share; NULL where the profiler gives none, or one above 2^63.
  comms_id STRING,
  -- Rank that sends; NULL for collectives, and without args.
  src_rank LONG,
  -- Rank that receives; NULL for collectives, and without args.
  dst_rank LONG,
  -- PyTorch's name of the element type; NULL without args.
  dtype STRING,
  -- Bytes that the rank puts in; NULL without args, or where the size of the dtype is unknown.
  in_bytes LONG,
  -- Bytes that the rank gets out; NULL like in_bytes.
  out_bytes LONG
) AS
WITH
  found AS (
    SELECT
      work.*,
      tpt_arg!(slice.arg_set_id, 'Collective name') IS NOT NULL AS has_args,
      around.name AS annotation,
      IIF(
        tpt_arg!(slice.arg_set_id, 'Collective name') IS NULL,
        around.arg_set_id,
        slice.arg_set_id
      ) AS told_by
    FROM tpt_gpu_slice AS work
    CROSS JOIN slice USING (id)
    LEFT JOIN tpt_collective_annotation AS around USING (id)
    WHERE
      work.collective IS NOT NULL
  ),
  told AS (
    SELECT
      *,
      IIF(has_args, collective, COALESCE(tpt_collective_by_arg(annotation), collective)) AS refined,
      CAST(tpt_arg!(told_by, 'Process Group Name') AS TEXT) AS process_group,
      tpt_arg!(told_by, 'Process Group Description') AS process_group_desc,
      tpt_arg!(told_by, 'Process Group Ranks') AS ranks,
      tpt_int_arg!(told_by, 'Group size') AS group_size,
      tpt_int_arg!(told_by, 'Seq') AS seq,
      tpt_arg!(told_by, 'Comms Id') AS comms_id,
      tpt_int_arg!(told_by, 'Src Rank') AS src_rank,
      tpt_int_arg!(told_by, 'Dst Rank') AS dst_rank,
      -- "send 0->1", "recv 1<-0"
      CAST(REGEXP_EXTRACT(annotation, '[<>-]([0-9]+)$') AS INT) AS peer,
      tpt_arg!(told_by, 'dtype') AS dtype,
      tpt_int_arg!(told_by, 'In msg nelems') AS in_elements,
      tpt_int_arg!(told_by, 'Out msg nelems') AS out_elements
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
  refined AS collective,
  CASE
    WHEN has_args THEN 'args'
    WHEN annotation IS NOT NULL THEN 'annotation'
    ELSE 'name'
  END AS recognised_by,
  process_group,
  process_group_desc,
  ranks,
  group_size,
  seq,
  -- above 2^63 a number does not survive the import of JSON: it becomes a negative float
  IIF(TYPEOF(comms_id) IN ('text', 'integer'), CAST(comms_id AS TEXT), NULL) AS comms_id,
  COALESCE(src_rank, IIF(refined = 'recv', peer, NULL)) AS src_rank,
  COALESCE(dst_rank, IIF(refined = 'send', peer, NULL)) AS dst_rank,
  dtype,
  in_elements * tpt_dtype_bytes(dtype) AS in_bytes,
  out_elements * tpt_dtype_bytes(dtype) AS out_bytes
FROM told
ORDER BY id;
