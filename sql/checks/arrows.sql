-- Launch arrows that end at the wrong kernel.
--
-- An arrow's end is a time on a thread, and of slices that start together there Perfetto takes the
-- shortest. So an arrow is right at any slice that starts with its own.
--
-- Grain: one row per arrow between two slices that both carry a correlation, and not the same.
-- Scope: rank
WITH
  linked AS (
    SELECT
      id,
      track_id,
      ts,
      name,
      COALESCE(
        EXTRACT_ARG(arg_set_id, 'args.correlation'),
        EXTRACT_ARG(arg_set_id, 'debug.args.correlation')
      ) AS correlation
    FROM slice
    WHERE
      arg_set_id IS NOT NULL
  ),
  wrong AS (
    SELECT
      flow.id,
      launch.name AS launch_name,
      launch.correlation AS launch_correlation,
      work.name AS work_name,
      work.correlation AS work_correlation,
      work.track_id,
      work.ts
    FROM flow
    JOIN linked AS launch ON launch.id = flow.slice_out
    JOIN linked AS work ON work.id = flow.slice_in
    WHERE
      launch.correlation != work.correlation
  ),
  together AS (
    SELECT wrong.id
    FROM wrong
    JOIN linked AS own ON own.track_id = wrong.track_id AND own.ts = wrong.ts
    WHERE
      own.correlation = wrong.launch_correlation
  )
SELECT
  -- name of the slice that it starts at
  launch_name,
  -- correlation of that slice
  launch_correlation,
  -- name of the slice that it ends at
  work_name,
  -- correlation of that slice
  work_correlation
FROM wrong
WHERE
  id NOT IN (SELECT id FROM together)
ORDER BY id;
