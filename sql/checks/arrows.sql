-- Launch arrows that end at the wrong kernel.
--
-- Grain: one row per arrow between two slices that both carry a correlation, and not the same.
-- Scope: rank
WITH
  linked AS (
    SELECT
      id,
      name,
      COALESCE(
        EXTRACT_ARG(arg_set_id, 'args.correlation'),
        EXTRACT_ARG(arg_set_id, 'debug.args.correlation')
      ) AS correlation
    FROM slice
    WHERE
      arg_set_id IS NOT NULL
  )
SELECT
  -- name of the slice that it starts at
  launch.name AS launch_name,
  -- correlation of that slice
  launch.correlation AS launch_correlation,
  -- name of the slice that it ends at
  work.name AS work_name,
  -- correlation of that slice
  work.correlation AS work_correlation
FROM flow
JOIN linked AS launch ON launch.id = flow.slice_out
JOIN linked AS work ON work.id = flow.slice_in
WHERE
  launch.correlation != work.correlation
ORDER BY flow.id;
