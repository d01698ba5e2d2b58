-- Tracks of the timeline: a thread or stream is one track with all its lanes, each of which is a
-- track of its own to Perfetto.

INCLUDE PERFETTO MODULE tpt.arg;

-- The process of each lane, and the key of its track: lanes of one track have the same.
CREATE PERFETTO TABLE tpt_track(
  -- The lane; a track without lanes is the only one of its own.
  track_id JOINID(track.id),
  -- Its process; NULL for tracks of no process.
  upid JOINID(process.id),
  -- Its thread's tid; NULL for tracks of no thread, as a .pftrace has them.
  tid LONG,
  -- The tid, else the number in its name, else the hash of that name.
  track_key LONG
) AS
SELECT
  track.id AS track_id,
  COALESCE(thread.upid, process_track.upid) AS upid,
  thread.tid,
  -- "stream 7", "thread 12 (python)": a .pftrace names tracks, which have no tid
  COALESCE(
    thread.tid,
    CAST(REGEXP_EXTRACT(track.name, '^[a-z]+ ([0-9]+)') AS INT),
    HASH(COALESCE(track.name, ''))
  ) AS track_key
FROM track
LEFT JOIN thread_track ON thread_track.id = track.id
LEFT JOIN thread USING (utid)
LEFT JOIN process_track ON process_track.id = track.id
ORDER BY track.id;

-- The key of the track that a slice belongs to: slices on added lanes keep that of theirs in args.
CREATE PERFETTO MACRO tpt_track_key(
  -- `tpt_track.tid` of the slice's track.
  tid Expr,
  -- `tpt_track.track_key` of the slice's track.
  track_key Expr,
  -- Set of arguments of the slice (`slice.arg_set_id`).
  arg_set_id Expr
)
RETURNS Expr AS
IIF($tid IS NULL, $track_key, COALESCE(tpt_repair_arg!($arg_set_id, 'tpt_tid'), $tid));
