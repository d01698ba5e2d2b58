-- Every arrow between two slices of threads, for comparison with the file.
--
-- Grain: one row per arrow.
-- Scope: rank
WITH
  -- materialized, since else SQLite reads all slices again for each arrow
  joined AS MATERIALIZED (
    SELECT
      slice.id,
      process.pid,
      thread.tid,
      slice.ts,
      slice.name,
      COALESCE(
        EXTRACT_ARG(slice.arg_set_id, 'args.correlation'),
        EXTRACT_ARG(slice.arg_set_id, 'debug.args.correlation')
      ) AS correlation
    FROM slice
    JOIN thread_track ON thread_track.id = slice.track_id
    JOIN thread USING (utid)
    LEFT JOIN process USING (upid)
    WHERE
      slice.id IN (SELECT slice_out FROM flow UNION SELECT slice_in FROM flow)
  )
SELECT
  -- category of its flow; NULL where slices carry it themselves, and in .pftrace
  EXTRACT_ARG(flow.arg_set_id, 'cat') AS category,
  -- pid, tid, start in ns, name and correlation of the slice that it starts at
  origin.pid AS origin_pid,
  origin.tid AS origin_tid,
  origin.ts AS origin_ts,
  origin.name AS origin_name,
  origin.correlation AS origin_correlation,
  -- the same of the slice that it ends at
  target.pid AS target_pid,
  target.tid AS target_tid,
  target.ts AS target_ts,
  target.name AS target_name,
  target.correlation AS target_correlation
FROM flow
JOIN joined AS origin ON origin.id = flow.slice_out
JOIN joined AS target ON target.id = flow.slice_in
ORDER BY flow.id;
