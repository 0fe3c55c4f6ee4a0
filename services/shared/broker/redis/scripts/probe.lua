-- Checks partitions of one server, then publishes a marker. Returns {run_id, state, state, ...}, each state as `epoch floor
-- raise_id last base retained_since complete_after`. Follows server.lua; `check_partition` is epoch.lua
-- and state.lua as a function that returns such a state.
-- KEYS meta of each partition
-- ARGV[1] PUBLISH or SPUBLISH
-- ARGV[2] channel of the marker, '' for none: scripts are atomic, and a connection is first in, first out, so all signals of
-- earlier updates arrive before it
-- ARGV[3] the marker
-- ARGV[4] retention, in microseconds
-- ARGV[5] time covered by `recent`, in microseconds
-- ARGV[6] and so on, four for each partition: channel of the floor, and of the caller: its epoch, highest version and raise
local reply = { run_id }
for i = 1, #KEYS do
  local first = 2 + 4 * i
  reply[i + 1] = check_partition(
    { KEYS[i] },
    { ARGV[1], ARGV[first], ARGV[first + 1], ARGV[first + 2], '0', ARGV[first + 3], '', '0', ARGV[4], ARGV[5] }
  )
end
if ARGV[2] ~= '' then redis.call(ARGV[1], ARGV[2], ARGV[3]) end
return reply
