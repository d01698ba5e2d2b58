-- Which mark on the CPU, such as a step, launched each piece of GPU work.

INCLUDE PERFETTO MODULE tpt.launched;

-- The mark of each piece of GPU work of ranks that have marks: the one in which it was launched, on
-- the same thread, or, for threads that have no marks, on any thread of the process. Work without a
-- recorded launch is of none. Where the rank has no launches, or marks of the GPU alone, the mark
-- in which the work started. Columns: id of the work's slice; seq of its mark, NULL: of none;
-- reason: launch not recorded, or outside marks, NULL for work of a mark.
CREATE PERFETTO MACRO tpt_work_in(
  -- The marks, none within another one of its thread: seq, in the order of ranks and starts, ts,
  -- ts_end, rank, upid, track_key, on_gpu, as in `tpt_step`.
  marks TableOrSubquery
)
RETURNS TableOrSubquery AS
(
  WITH
    thread AS MATERIALIZED (
      SELECT
        ROW_NUMBER() OVER () AS thread,
        COALESCE(rank, -1) AS rank_or_none,
        upid,
        track_key,
        on_gpu
      FROM (SELECT DISTINCT rank, upid, track_key, on_gpu FROM $marks)
    ),
    rule AS MATERIALIZED (
      SELECT
        thread.rank_or_none,
        NOT thread.on_gpu AND MAX(work.launch_id) IS NOT NULL AS is_by_launch
      FROM (SELECT DISTINCT rank_or_none, on_gpu FROM thread) AS thread
      CROSS JOIN tpt_launched AS work ON COALESCE(work.rank, -1) = thread.rank_or_none
      GROUP BY thread.rank_or_none
    ),
    work AS MATERIALIZED (
      SELECT
        work.id,
        rule.rank_or_none,
        rule.is_by_launch,
        IIF(rule.is_by_launch, work.launch_ts, work.ts) AS at,
        work.launch_upid,
        own.thread AS own_thread
      FROM tpt_launched AS work
      CROSS JOIN rule ON rule.rank_or_none = COALESCE(work.rank, -1)
      LEFT JOIN thread AS own
        ON own.upid = work.launch_upid AND own.track_key = work.launch_track_key
    ),
    point AS (
      SELECT thread.thread, mark.ts AS at, 0 AS is_work, mark.seq, NULL AS id
      FROM $marks AS mark
      CROSS JOIN thread
        ON thread.rank_or_none = COALESCE(mark.rank, -1)
        AND thread.upid IS mark.upid
        AND thread.track_key IS mark.track_key
      UNION ALL
      SELECT thread.thread, work.at, 1, NULL, work.id
      FROM work
      CROSS JOIN thread USING (rank_or_none)
      WHERE
        NOT work.is_by_launch
        OR work.own_thread = thread.thread
        OR (work.own_thread IS NULL AND work.launch_upid = thread.upid)
    ),
    latest AS (
      SELECT
        id,
        at,
        MAX(seq) OVER (
          PARTITION BY thread
          ORDER BY at, is_work
          ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS seq
      FROM point
    ),
    in_mark AS MATERIALIZED (
      -- of the marks that are open on several threads the one that began last
      SELECT latest.id, MAX(mark.seq) AS seq
      FROM latest
      CROSS JOIN $marks AS mark USING (seq)
      WHERE
        latest.id IS NOT NULL AND latest.at < mark.ts_end
      GROUP BY latest.id
    )
  SELECT
    work.id,
    in_mark.seq,
    CASE
      WHEN in_mark.seq IS NOT NULL THEN NULL
      WHEN work.at IS NULL THEN 'launch not recorded'
      ELSE 'outside marks'
    END AS reason
  FROM work
  LEFT JOIN in_mark USING (id)
);
