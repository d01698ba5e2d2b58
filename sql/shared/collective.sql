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
