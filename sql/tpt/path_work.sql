-- GPU work that critical paths lead through.

INCLUDE PERFETTO MODULE tpt.launched;

-- Each piece of GPU work, with what paths say of it.
CREATE PERFETTO VIEW tpt_path_work(
  -- Id of its slice.
  id JOINID(slice.id),
  -- The process that its track belongs to.
  upid JOINID(process.id),
  -- Its device.
  device LONG,
  -- Its rank; NULL in the trace of one rank.
  rank LONG,
  -- Its duration, ns.
  dur DURATION,
  -- Its end, ns.
  ts_end TIMESTAMP,
  -- Its name.
  name STRING,
  -- compute, collective, or copy (a memset too).
  kind STRING,
  -- Name of the call that launched it; NULL where the trace has no such call.
  launch_name STRING
) AS
SELECT id, upid, device, rank, dur, ts_end, name, kind, launch_name
FROM tpt_launched;
