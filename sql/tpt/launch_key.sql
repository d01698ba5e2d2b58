-- The key that joins GPU work with the call that launched it.

-- The correlation id, in a number that no two ranks share; NULL where there is none.
CREATE PERFETTO MACRO tpt_launch_key(
  -- Rank; NULL in the trace of one rank.
  rank Expr,
  -- Correlation id; 0 or NULL: none.
  correlation Expr
)
RETURNS Expr AS
((COALESCE($rank, 0) + 1) << 40) + NULLIF($correlation, 0);
