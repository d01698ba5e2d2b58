-- The parts of idle gaps, by the state of the thread that launched the work after each.

INCLUDE PERFETTO MODULE tpt.launch;

INCLUDE PERFETTO MODULE tpt.launched;

INCLUDE PERFETTO MODULE tpt.gap;

INCLUDE PERFETTO MODULE tpt.sync_call;

-- Gaps whose next work was launched too late: its call had not returned when the gap began. A copy
-- whose call returned only after it counts as launched when that call began, if that was before the
-- gap. Of the graph that ran before the gap nothing is late.
CREATE PERFETTO TABLE _tpt_late_gap AS
SELECT
  gap.gap_id,
  after.upid,
  after.device,
  after.launch_upid,
  after.launch_track_key,
  gap.ts,
  gap.ts_end,
  -- the thread has time for other things until the call begins
  MAX(gap.ts, MIN(after.launch_ts, gap.ts_end)) AS ts_call,
  MAX(gap.ts, MIN(after.launch_ts + after.launch_dur, gap.ts_end)) AS ts_launched
FROM tpt_gap AS gap
CROSS JOIN tpt_launched AS before ON before.id = gap.before_id
CROSS JOIN tpt_launched AS after ON after.id = gap.after_id
WHERE
  after.launched_by > gap.ts AND after.launch_key IS NOT before.launch_key
ORDER BY gap.gap_id;

-- The calls that hold their thread, by their names or since they wait for a copy.
CREATE PERFETTO TABLE _tpt_hold AS
WITH
  called AS MATERIALIZED (
    SELECT DISTINCT name FROM tpt_call
  ),
  holding AS (
    SELECT name
    FROM called
    WHERE
      tpt_is_holding_call!(name)
  )
SELECT upid, track_key, ts, ts_end, name
FROM tpt_call
WHERE
  -- with +, else each condition is a pass over all calls
  +name IN (SELECT name FROM holding)
  OR +launch_key IN (SELECT launch_key FROM tpt_launched WHERE is_blocking)
ORDER BY upid, track_key, ts;

-- Calls that held the thread in a late gap before it launched, clipped to that time: those that
-- began in it, and of those that began before it the one that ended last.
CREATE PERFETTO TABLE _tpt_gap_hold AS
WITH
  launching AS MATERIALIZED (
    SELECT DISTINCT upid, device, launch_upid, launch_track_key FROM _tpt_late_gap
  ),
  point AS (
    SELECT
      upid,
      device,
      launch_upid,
      launch_track_key,
      ts AS at,
      gap_id,
      NULL AS hold_end,
      NULL AS name
    FROM _tpt_late_gap
    UNION ALL
    SELECT
      launching.upid,
      launching.device,
      launching.launch_upid,
      launching.launch_track_key,
      it.ts,
      NULL,
      it.ts_end,
      it.name
    FROM _tpt_hold AS it
    CROSS JOIN launching
      ON launching.launch_upid = it.upid AND launching.launch_track_key = it.track_key
  ),
  latest AS (
    SELECT
      at,
      gap_id,
      hold_end,
      name,
      MAX(gap_id) OVER so_far AS latest_gap,
      MAX(FORMAT('%020d%s', hold_end, name)) OVER so_far AS latest_hold
    FROM point
    WINDOW so_far AS (
      PARTITION BY upid, device, launch_upid, launch_track_key
      ORDER BY at, gap_id IS NOT NULL
      ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    )
  ),
  met AS (
    SELECT latest_gap AS gap_id, at, hold_end, name FROM latest WHERE gap_id IS NULL
    UNION ALL
    SELECT gap_id, at, CAST(SUBSTR(latest_hold, 1, 20) AS INT), SUBSTR(latest_hold, 21)
    FROM latest
    WHERE
      gap_id IS NOT NULL
  )
SELECT gap.gap_id, met.at AS ts, MIN(met.hold_end, gap.ts_call) AS ts_end, met.name
FROM met
CROSS JOIN _tpt_late_gap AS gap USING (gap_id)
WHERE
  met.at < gap.ts_call AND met.hold_end > gap.ts
ORDER BY gap.gap_id, ts;

-- How long calls of each name held the thread in a late gap. Of calls within others the outer one
-- counts, so that the calls of a gap add up to its `wait_ns` in `tpt_gap_part`.
CREATE PERFETTO TABLE tpt_gap_call(
  -- Number of the gap.
  gap_id LONG,
  -- Name of the call.
  name STRING,
  -- How long it held the thread, all calls of this name together, ns.
  held_ns DURATION
) AS
WITH
  held AS (
    SELECT
      it.gap_id,
      it.name,
      it.ts_end,
      MAX(it.ts, gap.ts) AS ts,
      MAX(it.ts_end) OVER (
        PARTITION BY it.gap_id
        ORDER BY it.ts, it.ts_end DESC
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
      ) AS covered_until
    FROM _tpt_gap_hold AS it
    CROSS JOIN _tpt_late_gap AS gap USING (gap_id)
  )
SELECT gap_id, name, SUM(MAX(0, ts_end - MAX(ts, COALESCE(covered_until, ts)))) AS held_ns
FROM held
GROUP BY gap_id, name
ORDER BY gap_id, name;

-- The time in each late gap before the launch call in which no call held the thread.
CREATE PERFETTO TABLE tpt_gap_cpu(
  -- Number of the gap.
  gap_id LONG,
  -- The process of the thread that launched the work after it.
  launch_upid JOINID(process.id),
  -- The track of that thread, as `tpt_track_key!` has it.
  launch_track_key LONG,
  -- All of that time, ns.
  cpu_ns DURATION,
  -- Start of its longest stretch, ns.
  ts TIMESTAMP,
  -- End of that stretch, ns.
  ts_end TIMESTAMP
) AS
WITH
  -- each call ends a stretch, and so does the launch
  ending AS (
    SELECT gap_id, ts, ts_end FROM _tpt_gap_hold
    UNION ALL
    SELECT gap_id, ts_call, ts_call FROM _tpt_late_gap
  ),
  covered AS (
    SELECT
      gap_id,
      ts,
      MAX(ts_end) OVER (
        PARTITION BY gap_id
        ORDER BY ts, ts_end
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
      ) AS since
    FROM ending
  ),
  stretch AS (
    SELECT
      gap.gap_id,
      gap.launch_upid,
      gap.launch_track_key,
      COALESCE(covered.since, gap.ts) AS ts,
      MAX(0, covered.ts - COALESCE(covered.since, gap.ts)) AS dur
    FROM covered
    CROSS JOIN _tpt_late_gap AS gap USING (gap_id)
  )
-- the start is from the row of the maximum, as always in SQLite
SELECT
  gap_id,
  launch_upid,
  launch_track_key,
  cpu_ns,
  ts,
  ts + MAX(dur) AS ts_end
FROM (SELECT *, SUM(dur) OVER (PARTITION BY gap_id) AS cpu_ns FROM stretch)
GROUP BY gap_id
ORDER BY gap_id;

-- The parts of each gap, which add up to its duration.
CREATE PERFETTO TABLE tpt_gap_part(
  -- Number of the gap.
  gap_id LONG,
  -- The thread that launched the work after it was in a call that held it, ns.
  wait_ns DURATION,
  -- The call that took most of that; NULL where there is none.
  waited_in STRING,
  -- That thread did something else, ns.
  cpu_ns DURATION,
  -- It was in the call that launched the work, ns.
  launch_call_ns DURATION,
  -- That call had returned before the gap began, ns.
  dependency_ns DURATION,
  -- From the return of a call that came too late to the start of the work, ns.
  front_end_ns DURATION,
  -- The trace has no launch of the work, ns.
  unknown_ns DURATION,
  -- The largest part: dependency, sync (wait_ns), cpu, launch (launch_call_ns) or front end; NULL:
  -- the trace has no launch of the work.
  why STRING
) AS
WITH
  most AS MATERIALIZED (
    SELECT gap_id, name
    FROM (
      SELECT *, ROW_NUMBER() OVER (PARTITION BY gap_id ORDER BY held_ns DESC, name) AS place
      FROM tpt_gap_call
    )
    WHERE
      place = 1
  ),
  part AS (
    SELECT
      gap.gap_id,
      COALESCE(late.ts_call - late.ts - cpu.cpu_ns, 0) AS wait_ns,
      IIF(late.ts_call - late.ts > cpu.cpu_ns, most.name, NULL) AS waited_in,
      COALESCE(cpu.cpu_ns, 0) AS cpu_ns,
      COALESCE(late.ts_launched - late.ts_call, 0) AS launch_call_ns,
      IIF(
        late.gap_id IS NULL AND after.launch_ts IS NOT NULL, gap.ts_end - gap.ts, 0
      ) AS dependency_ns,
      COALESCE(late.ts_end - late.ts_launched, 0) AS front_end_ns,
      IIF(after.launch_ts IS NULL, gap.ts_end - gap.ts, 0) AS unknown_ns
    FROM tpt_gap AS gap
    CROSS JOIN tpt_launched AS after ON after.id = gap.after_id
    LEFT JOIN _tpt_late_gap AS late USING (gap_id)
    LEFT JOIN tpt_gap_cpu AS cpu USING (gap_id)
    LEFT JOIN most USING (gap_id)
  )
SELECT
  *,
  CASE MAX(dependency_ns, wait_ns, cpu_ns, launch_call_ns, front_end_ns)
    WHEN 0 THEN NULL
    WHEN dependency_ns THEN 'dependency'
    WHEN wait_ns THEN 'sync'
    WHEN cpu_ns THEN 'cpu'
    WHEN launch_call_ns THEN 'launch'
    ELSE 'front end'
  END AS why
FROM part
ORDER BY gap_id;
