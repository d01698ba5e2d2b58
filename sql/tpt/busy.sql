-- Time in which groups of GPU work ran, by the kind of work.

INCLUDE PERFETTO MODULE tpt.state;

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
    grouped AS (
      SELECT seq AS owner, device, ts, ts_end, kind FROM $work
    )
  SELECT
    owner AS seq,
    device,
    SUM(IIF(compute + collective + copy > 0, dur, 0)) AS busy_ns,
    SUM(IIF(compute > 0, dur, 0)) AS compute_ns,
    SUM(IIF(collective > 0, dur, 0)) AS communication_ns,
    SUM(IIF(collective > 0 AND compute = 0, dur, 0)) AS exposed_communication_ns,
    SUM(IIF(copy > 0 AND compute = 0 AND collective = 0, dur, 0)) AS exposed_copy_ns
  FROM tpt_states!((SELECT * FROM tpt_edges!(grouped)))
  GROUP BY owner, device
);
