-- Replays of CUDA and HIP graphs, taken apart by what was captured.

INCLUDE PERFETTO MODULE tpt.arg;

INCLUDE PERFETTO MODULE tpt.dims;

INCLUDE PERFETTO MODULE tpt.launched;

INCLUDE PERFETTO MODULE tpt.module;

INCLUDE PERFETTO MODULE tpt.op;

-- Captured launches, from the JSON that `--capture` makes of rows of `captures`.
CREATE PERFETTO MACRO tpt_captured_launch(
  -- An array of arrays of graph, node, is_copy, kernel_hash, path, op, op_call and dims; what is no
  -- JSON has none.
  launches Expr
)
-- graph, node, is_copy, kernel_hash, path, op, op_call, dims.
RETURNS TableOrSubquery AS
(
  SELECT
    value ->> 0 AS graph,
    value ->> 1 AS node,
    value ->> 2 AS is_copy,
    value ->> 3 AS kernel_hash,
    value ->> 4 AS path,
    value ->> 5 AS op,
    value ->> 6 AS op_call,
    value ->> 7 AS dims
  FROM JSON_EACH(IIF(JSON_VALID($launches), $launches, '[]'))
);

-- The modules that replays ran work of, with those around them.
CREATE PERFETTO MACRO tpt_replayed_module(
  -- rank, launch_id of the replay, and path of a module.
  paths TableOrSubquery
)
-- rank, path, outer_path (NULL: none), name, depth, and replays: how many ran work of it.
RETURNS TableOrSubquery AS
(
  WITH RECURSIVE
    prefix(rank, launch_id, rest, path, name, outer_path, depth) AS (
      SELECT rank, launch_id, path || ' > ', NULL, NULL, NULL, 0 FROM $paths
      UNION ALL
      SELECT
        rank,
        launch_id,
        SUBSTR(rest, INSTR(rest, ' > ') + 3),
        COALESCE(path || ' > ', '') || SUBSTR(rest, 1, INSTR(rest, ' > ') - 1),
        SUBSTR(rest, 1, INSTR(rest, ' > ') - 1),
        path,
        depth + 1
      FROM prefix
      WHERE
        rest != ''
    )
  SELECT rank, path, outer_path, name, depth, COUNT(DISTINCT launch_id) AS replays
  FROM prefix
  WHERE
    path IS NOT NULL
  GROUP BY rank, path
);

-- The module and the op of each piece of work that a replay ran. A replay is one of a captured
-- graph where their launches, in order, are as many, of the same kernels where the capture names
-- them, and copies at the same places. Where several captured graphs fit and are not of the same
-- modules, nothing is known; where they are, but not of the same ops or shapes, these are not.
CREATE PERFETTO MACRO tpt_replayed(
  -- Captured launches: graph, node, is_copy, kernel_hash (NULL: not known), path, op, op_call and
  -- dims, as `captures` gives them.
  captured TableOrSubquery
)
-- id of the work's slice, launch_id of its replay, path (NULL: of no module), op (NULL: of none, or
-- not known), op_call (the call of that op in its graph) and dims.
RETURNS TableOrSubquery AS
(
  WITH
    work AS MATERIALIZED (
      SELECT
        work.id,
        work.launch_id,
        work.kind = 'copy' AS is_copy,
        HASH(COALESCE(work.name, '')) AS kernel_hash,
        ROW_NUMBER() OVER (
          PARTITION BY work.launch_id
          ORDER BY tpt_int_arg!(slice.arg_set_id, 'graph node id'), work.ts, work.id
        ) - 1 AS node
      FROM tpt_launched AS work
      CROSS JOIN slice USING (id)
      WHERE
        work.launch_name GLOB '*GraphLaunch*' AND EXISTS (SELECT 1 FROM $captured)
    ),
    replay AS MATERIALIZED (
      SELECT
        launch_id,
        COUNT(*) AS nodes,
        -- sums that depend on the order, for each place is hashed with what is there
        SUM(HASH(FORMAT('%d %d', node, is_copy)) & ((1 << 40) - 1)) AS places,
        SUM(HASH(FORMAT('%d %d', node, IIF(is_copy, 0, kernel_hash))) & ((1 << 40) - 1)) AS names
      FROM work
      GROUP BY launch_id
    ),
    graph AS MATERIALIZED (
      SELECT
        graph,
        COUNT(*) AS nodes,
        SUM(HASH(FORMAT('%d %d', node, is_copy)) & ((1 << 40) - 1)) AS places,
        SUM(HASH(FORMAT('%d %d', node, IIF(is_copy, 0, kernel_hash))) & ((1 << 40) - 1)) AS names,
        MIN(is_copy OR kernel_hash IS NOT NULL) AS is_named,
        SUM(HASH(FORMAT('%d %s', node, COALESCE(path, ''))) & ((1 << 40) - 1)) AS paths,
        SUM(HASH(FORMAT('%d %d %s', node, op_call, op)) & ((1 << 40) - 1)) AS ops,
        SUM(HASH(FORMAT('%d %s', node, dims)) & ((1 << 40) - 1)) AS shapes
      FROM $captured
      GROUP BY graph
    ),
    fitting AS MATERIALIZED (
      SELECT
        replay.launch_id,
        MIN(graph.graph) AS graph,
        MIN(graph.ops) = MAX(graph.ops) AS has_ops,
        MIN(graph.shapes) = MAX(graph.shapes) AS has_shapes
      FROM replay
      CROSS JOIN graph USING (nodes)
      WHERE
        IIF(graph.is_named, graph.names = replay.names, graph.places = replay.places)
      GROUP BY replay.launch_id
      HAVING
        MIN(graph.paths) = MAX(graph.paths)
    )
  SELECT
    work.id,
    work.launch_id,
    captured.path,
    IIF(has_ops, captured.op, NULL) AS op,
    IIF(has_ops, captured.op_call, NULL) AS op_call,
    IIF(has_ops AND has_shapes, captured.dims, NULL) AS dims
  FROM work
  CROSS JOIN fitting USING (launch_id)
  CROSS JOIN $captured AS captured USING (graph, node)
);

-- The module and the op of each piece of GPU work, of replays by what was captured.
CREATE PERFETTO MACRO tpt_work_of_module(
  -- Captured launches, as `tpt_replayed!` takes them.
  captured TableOrSubquery
)
-- id, rank, dur, path, is_backward and reason as in `tpt_module_work`; is_replayed: 1 where the
-- path is of a capture; launch_id of the replay; op (NULL: not known), dims, and call: text that is
-- alike for work of one call of the op.
RETURNS TableOrSubquery AS
(
  WITH
    replayed AS MATERIALIZED (
      SELECT * FROM tpt_replayed!($captured)
    )
  SELECT
    work.id,
    work.rank,
    work.dur,
    COALESCE(replayed.path, work.path) AS path,
    work.is_backward,
    IIF(replayed.path IS NULL, work.reason, NULL) AS reason,
    replayed.path IS NOT NULL AS is_replayed,
    replayed.launch_id,
    COALESCE(replayed.op, op.name) AS op,
    IIF(replayed.op IS NULL, shape.dims, replayed.dims) AS dims,
    IIF(
      replayed.op IS NULL,
      '' || of_work.seq,
      FORMAT('%d %d', replayed.launch_id, replayed.op_call)
    ) AS call
  FROM tpt_module_work AS work
  CROSS JOIN tpt_op_of_work AS of_work USING (id)
  LEFT JOIN tpt_op AS op USING (seq)
  LEFT JOIN tpt_op_dims AS shape USING (seq)
  LEFT JOIN replayed USING (id)
);
