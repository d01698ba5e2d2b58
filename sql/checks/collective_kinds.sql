-- Collective kinds: which collective each of a few slices is, and how large its elements are.
--
-- Asked by `merge` about a list of distinct names, each a slice with its number in `tpt_event`.
-- gloo runs on CPU threads and leaves annotations instead of kernels.
--
-- Grain: one row per slice that is a collective.
-- Scope: rank
-- Needs: kernel, Kernel, user_annotation

INCLUDE PERFETTO MODULE tpt.collective.args;

INCLUDE PERFETTO MODULE tpt.collective.kind;

WITH
  found AS (
    SELECT id, collective, dtype FROM tpt_collective
    UNION ALL
    SELECT id, tpt_collective_by_arg(name), NULL
    FROM slice
    WHERE
      category = 'user_annotation' AND name GLOB 'gloo:*'
  )
SELECT
  -- number of the slice
  CAST(EXTRACT_ARG(slice.arg_set_id, 'args.tpt_event') AS INT) AS event,
  -- all_reduce, all_gather, ...; 'unknown' for a collective that does not say which
  found.collective AS kind,
  -- bytes of an element; NULL where the type is unknown
  tpt_dtype_bytes(found.dtype) AS element_bytes
FROM found
JOIN slice USING (id)
WHERE
  found.collective IS NOT NULL
ORDER BY event;
