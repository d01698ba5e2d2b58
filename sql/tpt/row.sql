-- Rows of the timeline: a thread or stream with all its lanes is one row.

INCLUDE PERFETTO MODULE tpt.arg;

-- The process of each track, and the number of its row.
CREATE PERFETTO TABLE tpt_row(
  -- The track.
  track_id JOINID(track.id),
  -- Its process; NULL for tracks of no process.
  upid JOINID(process.id),
  -- Its thread's tid; NULL for tracks of no thread, as a .pftrace has them.
  tid LONG,
  -- The tid, else the number in the track's name, else the hash of that name.
  row_id LONG
) AS
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

-- The number of the row that a slice belongs to: slices on added lanes keep that of theirs in args.
CREATE PERFETTO MACRO tpt_row_id(
  -- `tpt_row.tid` of the slice's track.
  tid Expr,
  -- `tpt_row.row_id` of the slice's track.
  row_id Expr,
  -- Set of arguments of the slice (`slice.arg_set_id`).
  arg_set_id Expr
)
RETURNS Expr AS
IIF($tid IS NULL, $row_id, COALESCE(tpt_arg!($arg_set_id, 'tpt_tid'), $tid));
