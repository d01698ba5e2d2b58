-- Ends of messages between ranks, as far as their rank alone tells.

INCLUDE PERFETTO MODULE tpt.step;

INCLUDE PERFETTO MODULE tpt.collective.part;

-- Each end of a message on the GPU that says with which rank. Of messages that are open at once,
-- time counts to the one that began first: `since` is when it began to be that one.
CREATE PERFETTO TABLE tpt_message_end(
  -- Id of the slice of its kernel.
  id JOINID(slice.id),
  -- The rank at the other end.
  peer LONG,
  -- When it began to be the message that time counts to, ns.
  since TIMESTAMP,
  -- The step that launched it, as in `tpt_step`; NULL: none.
  seq JOINID(tpt_step.seq)
) AS
SELECT
  part.id,
  IIF(part.kind = 'recv', part.src_rank, part.dst_rank) AS peer,
  MIN(
    part.ts_end,
    MAX(
      part.arrival,
      COALESCE(
        MAX(part.ts_end) OVER (
          PARTITION BY part.upid, part.device
          ORDER BY part.arrival, part.ts_end, part.id
          ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ),
        part.arrival
      )
    )
  ) AS since,
  of_step.seq
FROM tpt_collective_part AS part
LEFT JOIN tpt_step_work AS of_step USING (id)
WHERE
  part.kind IN ('send', 'recv')
  AND part.device IS NOT NULL
  AND IIF(part.kind = 'recv', part.src_rank, part.dst_rank) IS NOT NULL
ORDER BY part.id;
