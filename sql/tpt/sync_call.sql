-- Which calls of the runtime or driver wait for the GPU, or hold their thread.

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

-- Whether a call may hold its thread by its name: it waits, takes, maps or gives back memory, loads
-- code or builds graphs.
CREATE PERFETTO MACRO tpt_is_holding_call(
  -- Name of the call.
  name Expr
)
RETURNS Expr AS
(
  tpt_is_sync_call!($name)
  OR $name GLOB '*Malloc*'
  OR $name GLOB '*Free*'
  OR $name GLOB '*MemAlloc*'
  OR $name GLOB '*HostAlloc*'
  OR $name GLOB '*Host*egister*'
  OR $name GLOB '*MemCreate*'
  OR $name GLOB '*MemMap*'
  OR $name GLOB '*MemUnmap*'
  OR $name GLOB '*MemSetAccess*'
  OR $name GLOB '*MemRelease*'
  OR $name GLOB '*ModuleLoad*'
  OR $name GLOB '*LibraryLoad*'
  OR $name GLOB '*GraphInstantiate*'
);
