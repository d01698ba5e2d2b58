-- Collective kinds: which collective each of a few slices is, and how large its elements are.
--
-- Asked by `merge` about a list of distinct names, each a slice with its number in `tpt_event`.
-- gloo runs on CPU threads and leaves annotations instead of kernels.
--
-- Grain: one row per slice that is a collective.
-- Scope: rank
-- Needs: kernel, Kernel, user_annotation

WITH
  asked AS (
    SELECT
      CAST(EXTRACT_ARG(arg_set_id, 'args.tpt_event') AS INT) AS event,
      name,
      category,
      EXTRACT_ARG(arg_set_id, 'args.Collective name') AS said,
      EXTRACT_ARG(arg_set_id, 'args.dtype') AS dtype
    FROM slice
  ),
  told AS (
    SELECT
      event,
      dtype,
      CASE
        WHEN category IN ('kernel', 'Kernel') THEN
          COALESCE(
            tpt_collective_by_arg(said),
            tpt_collective_by_name(name),
            IIF(said IS NULL, NULL, 'unknown')
          )
        WHEN name GLOB 'gloo:*' THEN tpt_collective_by_arg(name)
      END AS kind
    FROM asked
  )
SELECT
  -- number of the slice
  event,
  -- all_reduce, all_gather, ...; 'unknown' for a collective that does not say which
  kind,
  -- bytes of an element; NULL where the type is unknown
  CASE
    WHEN dtype GLOB 'Float8*' OR dtype IN ('Byte', 'Char', 'Bool', 'QInt8', 'QUInt8') THEN 1
    WHEN dtype IN ('Half', 'BFloat16', 'Short', 'UInt16') THEN 2
    WHEN dtype IN ('Float', 'Int', 'UInt32', 'QInt32', 'ComplexHalf') THEN 4
    WHEN dtype IN ('Double', 'Long', 'UInt64', 'ComplexFloat') THEN 8
    WHEN dtype = 'ComplexDouble' THEN 16
  END AS element_bytes
FROM told
WHERE
  kind IS NOT NULL
ORDER BY event;
