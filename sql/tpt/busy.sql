-- Time in which groups of GPU work ran, by the kind of work.

-- How long work of each group ran, however many pieces at once. Columns: seq, device; busy_ns, at
-- least one piece; compute_ns, a kernel that is no collective; communication_ns, a collective;
-- exposed_communication_ns, a collective and no compute; exposed_copy_ns, a copy alone.
CREATE PERFETTO MACRO tpt_busy(
  -- The work: seq, the number of its group, device, ts, ts_end, and kind, as in `tpt_gpu_slice`.
  work TableOrSubquery
)
RETURNS TableOrSubquery AS
(
  WITH
    edge AS (
      SELECT seq, device, ts AS at, 1 AS step, kind FROM $work
      UNION ALL
      SELECT seq, device, ts_end, -1, kind FROM $work
    ),
    change AS (
      SELECT
        seq,
        device,
        at,
        SUM(IIF(kind = 'compute', step, 0)) AS compute,
        SUM(IIF(kind = 'collective', step, 0)) AS collective,
        SUM(IIF(kind = 'copy', step, 0)) AS copy
      FROM edge
      GROUP BY seq, device, at
    ),
    state AS (
      SELECT
        seq,
        device,
        COALESCE(LEAD(at) OVER in_group - at, 0) AS dur,
        SUM(compute) OVER in_group AS compute,
        SUM(collective) OVER in_group AS collective,
        SUM(copy) OVER in_group AS copy
      FROM change
      WINDOW in_group AS (PARTITION BY seq, device ORDER BY at)
    )
  SELECT
    seq,
    device,
    SUM(IIF(compute + collective + copy > 0, dur, 0)) AS busy_ns,
    SUM(IIF(compute > 0, dur, 0)) AS compute_ns,
    SUM(IIF(collective > 0, dur, 0)) AS communication_ns,
    SUM(IIF(collective > 0 AND compute = 0, dur, 0)) AS exposed_communication_ns,
    SUM(IIF(copy > 0 AND compute = 0 AND collective = 0, dur, 0)) AS exposed_copy_ns
  FROM state
  GROUP BY seq, device
);
