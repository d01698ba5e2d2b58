-- Which calls of the runtime or driver wait for the GPU.

-- Whether a call waits by its name: for a device, a stream, an event, or a copy. A copy whose name
-- says Async may also hold its thread until it is done, see `tpt_launched.is_blocking`.
CREATE PERFETTO MACRO tpt_is_sync_call(
  -- Name of the call.
  name Expr
)
RETURNS Expr AS
(
  $name GLOB '*Synchronize*'
  OR ($name GLOB '*Memcpy*' AND NOT $name GLOB '*Async*')
);
