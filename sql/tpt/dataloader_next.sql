-- Time in which a program waits for its next batch of data.

INCLUDE PERFETTO MODULE tpt.arg;

INCLUDE PERFETTO MODULE tpt.busy_in;

INCLUDE PERFETTO MODULE tpt.gpu_slice;

INCLUDE PERFETTO MODULE tpt.process_rank;

INCLUDE PERFETTO MODULE tpt.track;

-- Each time that a torch.utils.data.DataLoader was asked for its next batch: the annotation
-- `enumerate(DataLoader)#...` (in PyTorch 1.8 and 1.9 an op); for ranks without, the Python
-- function `__next__` of its iterator. One within another is part of that one.
CREATE PERFETTO TABLE tpt_dataloader_next(
  -- Id of its slice.
  id JOINID(slice.id),
  -- Its start, ns.
  ts TIMESTAMP,
  -- Its end as recorded, ns.
  ts_end TIMESTAMP,
  -- Its rank; NULL in the trace of one rank.
  rank LONG,
  -- The process of the thread that asked.
  upid JOINID(process.id),
  -- The track of that thread, as `tpt_track_key!` has it.
  track_key LONG,
  -- Of its time, while some GPU of the rank ran anything, ns.
  busy_ns DURATION
) AS
WITH
  found AS (
    SELECT
      s.id,
      s.ts,
      s.ts + tpt_recorded_dur!(s.arg_set_id, s.dur) AS ts_end,
      tpt_process_rank.rank,
      tpt_track.upid,
      tpt_track_key!(tpt_track.tid, tpt_track.track_key, s.arg_set_id) AS track_key,
      s.category = 'python_function' AS is_python
    FROM slice AS s
    CROSS JOIN tpt_track USING (track_id)
    LEFT JOIN tpt_process_rank USING (upid)
    WHERE
      s.dur >= 0
      AND (
        (
          s.category IN ('user_annotation', 'cpu_op', 'Operator')
          AND s.name GLOB 'enumerate(DataLoader)#*'
        )
        OR (
          s.category = 'python_function'
          AND s.name GLOB '*torch/utils/data/dataloader.py([0-9]*): __next__'
        )
      )
  ),
  nested AS (
    SELECT
      *,
      MIN(is_python) OVER (PARTITION BY rank) AS all_python,
      MAX(ts_end) OVER (
        PARTITION BY rank, upid, track_key, is_python
        ORDER BY ts, ts_end DESC, id
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
      ) AS covered_until
    FROM found
  ),
  outermost AS MATERIALIZED (
    SELECT id, ts, ts_end, rank, upid, track_key
    FROM nested
    WHERE
      is_python = all_python AND (covered_until IS NULL OR covered_until < ts_end)
  ),
  work AS (
    SELECT COALESCE(rank, -1) AS key, ts, ts_end FROM tpt_gpu_slice
  ),
  wait AS (
    SELECT id, COALESCE(rank, -1) AS key, ts, ts_end FROM outermost
  )
SELECT outermost.*, busy.busy_ns
FROM outermost
CROSS JOIN tpt_busy_in!(work, wait) AS busy USING (id)
ORDER BY outermost.id;
