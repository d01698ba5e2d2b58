-- Layers of models, told by kernels that repeat within an iteration.

INCLUDE PERFETTO MODULE tpt.gpu_slice;

INCLUDE PERFETTO MODULE tpt.iteration;

-- The work of each iteration on the stream of a device that it keeps busy longest, in order.
CREATE PERFETTO TABLE _tpt_layer_work AS
WITH
  work AS (
    SELECT
      of_iteration.seq,
      work.device,
      work.stream,
      work.name,
      work.ts,
      work.ts_end,
      work.id,
      SUM(work.dur) OVER (PARTITION BY of_iteration.seq, work.device, work.stream) AS stream_ns
    FROM tpt_iteration_work AS of_iteration
    CROSS JOIN tpt_gpu_slice AS work USING (id)
    WHERE
      of_iteration.seq IS NOT NULL
  ),
  chosen AS (
    SELECT
      *,
      FIRST_VALUE(stream) OVER (
        PARTITION BY seq, device ORDER BY stream_ns DESC, stream
      ) AS busiest
    FROM work
  )
SELECT
  ROW_NUMBER() OVER (ORDER BY seq, device, ts, ts_end, id) AS place,
  seq,
  device,
  name,
  ts
FROM chosen
WHERE
  stream = busiest
ORDER BY place;

-- The layers of each iteration, where its work repeats: a kernel that comes four times or more with
-- as many others between each two tells how long a layer is. At least 80 per cent of the work must
-- be the same a layer later, and the layers must be half of the iteration's work. Of the lengths
-- that fit the shortest counts: where layers of two kinds take turns, differing in few kernels,
-- that of one.
CREATE PERFETTO TABLE tpt_layer(
  -- The iteration, as in `tpt_iteration`.
  seq LONG,
  -- Device.
  device LONG,
  -- How many layers, or groups of layers that take turns, repeat.
  layers LONG,
  -- Kernels and copies of each, on the stream with most work.
  layer_kernels LONG,
  -- From the start of one to the start of the next, mean, ns.
  layer_ns DURATION
) AS
WITH
  spaced AS (
    SELECT
      *,
      place - LAG(place) OVER (PARTITION BY seq, device, name ORDER BY place) AS distance
    FROM _tpt_layer_work
  ),
  anchor AS (
    SELECT
      seq,
      device,
      COUNT(*) AS layers,
      MIN(distance) AS length,
      MIN(place) AS first,
      MIN(ts) AS first_ts,
      MAX(ts) AS last_ts
    FROM spaced
    GROUP BY seq, device, name
    HAVING
      COUNT(*) >= 4 AND MIN(distance) = MAX(distance) AND MIN(distance) > 1
  ),
  size AS MATERIALIZED (
    SELECT seq, device, COUNT(*) AS works FROM _tpt_layer_work GROUP BY seq, device
  ),
  candidate AS MATERIALIZED (
    -- of the kernels that tell the same the first, as always in SQLite that of the minimum
    SELECT
      anchor.seq,
      anchor.device,
      anchor.layers,
      anchor.length,
      MIN(anchor.first) AS first,
      anchor.first_ts,
      anchor.last_ts
    FROM anchor
    CROSS JOIN size USING (seq, device)
    WHERE
      2 * anchor.layers * anchor.length >= size.works
    GROUP BY anchor.seq, anchor.device, anchor.layers, anchor.length
  ),
  fitting AS (
    SELECT candidate.*
    FROM candidate
    CROSS JOIN _tpt_layer_work AS work
      ON work.place BETWEEN candidate.first
      AND candidate.first + (candidate.layers - 1) * candidate.length - 1
    CROSS JOIN _tpt_layer_work AS later ON later.place = work.place + candidate.length
    GROUP BY candidate.seq, candidate.device, candidate.layers, candidate.length
    HAVING
      5 * SUM(work.name = later.name) >= 4 * COUNT(*)
  )
SELECT
  seq,
  device,
  layers,
  length AS layer_kernels,
  (last_ts - first_ts) / (layers - 1) AS layer_ns
FROM (
  SELECT
    *,
    ROW_NUMBER() OVER (PARTITION BY seq, device ORDER BY length, layers DESC) AS choice
  FROM fitting
)
WHERE
  choice = 1
ORDER BY seq, device;
