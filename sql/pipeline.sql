-- Pipeline bubbles: how long each rank computes nothing while it waits for a message of another.
--
-- Stages of a pipeline send each other the activations and gradients of micro-batches. A bubble is
-- the time from a rank's arrival at a send or receive to its end in which its device computes
-- nothing; of messages that are open at once it counts to the one that began first, so that the
-- messages add up to the row `all`. Arrivals are those of send_recv. Idle time without any message
-- is no bubble: `gaps` has it.
--
-- Messages are told by the args of NCCL kernels. Where kernels do not say with whom they
-- communicate, as in graphs and in coalesced groups, nothing is known, and bubble_ns is NULL. Other
-- messages than those of a pipeline, as in ring attention, are told by their process group only.
--
-- Grain: one row per rank and device for all its messages, and one per send or receive.
-- Scope: job
-- Needs: kernel, gpu_memcpy, gpu_memset, launch_calls, op_marks, user_annotation,
--   gpu_user_annotation, collective
-- Args: device, stream, correlation
-- Set: rank RANGE  only these ranks
-- Set: steps RANGE  only messages launched in these steps, by their number in steps, and the
--   windows of these, see verdict
-- Parts: tpt.collective.part, tpt.collective.context, tpt.gpu_exposed, tpt.message_end, tpt.step,
--   tpt.step_window
-- Shown first: rank, part, step, kind, peer, message, dur, bubble_ns, waiting_ns, bubble_percent,
--   reason
-- Paste: what `tp-tools sql pipeline` prints runs in the Query tab of any Perfetto UI.

INCLUDE PERFETTO MODULE tpt.message;

INCLUDE PERFETTO MODULE tpt.step;

INCLUDE PERFETTO MODULE tpt.step_window;

INCLUDE PERFETTO MODULE tpt.collective.window;

WITH
  device AS (
    SELECT
      win.upid,
      win.device,
      MIN(win.rank) AS rank,
      MIN(win.ts) AS ts,
      SUM(win.ts_end - win.ts) AS dur
    FROM tpt_step_window AS win
    LEFT JOIN tpt_step USING (seq)
    WHERE
      tpt_set_steps!(tpt_step.number)
    GROUP BY win.upid, win.device
  ),
  told AS MATERIALIZED (
    SELECT
      upid,
      device,
      COUNT(*) AS messages,
      SUM(bubble_ns) AS bubble_ns,
      SUM(waiting_ns) AS waiting_ns
    FROM tpt_message AS message
    WHERE
      tpt_set_steps!((SELECT number FROM tpt_step WHERE seq = message.seq))
    GROUP BY upid, device
  ),
  untold AS MATERIALIZED (
    SELECT part.upid, part.device, COUNT(*) AS kernels
    FROM tpt_collective_rank AS part
    LEFT JOIN tpt_message AS message USING (id)
    WHERE
      part.kind IN ('send', 'recv', 'send_recv')
      AND part.device IS NOT NULL
      AND message.id IS NULL
      AND tpt_set_steps!(part.step_number)
    GROUP BY part.upid, part.device
  ),
  listed AS (
    SELECT
      device.rank,
      device.upid,
      device.device,
      'all' AS part,
      NULL AS kind,
      NULL AS peer,
      told.messages AS message,
      NULL AS process_group_desc,
      NULL AS bytes,
      device.ts,
      device.dur,
      IIF(untold.kernels IS NULL, told.bubble_ns, NULL) AS bubble_ns,
      IIF(untold.kernels IS NULL, told.waiting_ns, NULL) AS waiting_ns,
      CASE
        WHEN untold.kernels IS NOT NULL THEN 'messages without a peer'
        WHEN told.messages IS NULL THEN 'no messages'
      END AS reason,
      NULL AS seq,
      NULL AS id,
      NULL AS track_id
    FROM device
    LEFT JOIN told USING (upid, device)
    LEFT JOIN untold USING (upid, device)
    UNION ALL
    SELECT
      rank,
      upid,
      device,
      'message',
      kind,
      peer,
      message,
      process_group_desc,
      bytes,
      arrival,
      ts_end - arrival,
      bubble_ns,
      waiting_ns,
      NULL,
      seq,
      id,
      track_id
    FROM tpt_message AS message
    WHERE
      tpt_set_steps!((SELECT number FROM tpt_step WHERE seq = message.seq))
  )
SELECT
  -- rank; NULL in the trace of one rank
  listed.rank,
  -- device
  listed.device,
  -- all: all messages of the rank together; message
  listed.part,
  -- name of the step that launched it, as in steps; NULL: none, and for all
  tpt_step.name AS step,
  -- send or recv; NULL for all
  listed.kind,
  -- the rank at the other end; NULL for all
  listed.peer,
  -- number of the message among those of its kind with this peer in its step, which is that of the
  -- micro-batch where each is one message; for all how many there are, NULL: none
  listed.message,
  -- description of the process group; NULL where the profiler gives none, and for all
  listed.process_group_desc,
  -- bytes of the message; NULL where their number is not known, and for all
  listed.bytes,
  -- when the rank came to it, ns; for all the start of the device's first work
  listed.ts,
  -- from there to its end, ns; for all to the end of the device's last work, with --set steps the
  -- windows of these together
  listed.dur,
  -- of that, while nothing was computed and no earlier message was open, ns; NULL: no messages, or
  -- not known
  listed.bubble_ns,
  -- of that, until the other rank had come, ns; NULL likewise, and where no other end was found;
  -- for all where none was
  listed.waiting_ns,
  -- bubble_ns, per cent of dur, 3 decimals; NULL likewise
  ROUND(100.0 * listed.bubble_ns / NULLIF(listed.dur, 0), 3) AS bubble_percent,
  -- why nothing is known of a rank: no messages; messages without a peer (kernels that send or
  -- receive and do not say with whom); NULL where all is known
  listed.reason,
  -- id of the kernel's slice in this trace; in the UI (v55 and later) a link to it; NULL for all
  listed.id,
  -- id of its track in this trace; NULL for all
  listed.track_id
FROM listed
LEFT JOIN tpt_step USING (seq)
WHERE
  listed.rank IS NULL OR tpt_set_rank!(listed.rank)
ORDER BY listed.rank, listed.device, listed.upid, listed.part, listed.ts, listed.id;
