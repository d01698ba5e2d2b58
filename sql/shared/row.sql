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
