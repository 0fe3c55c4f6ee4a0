-- Checks partitions of one server, then publishes a marker. Returns {run_id, now, state, state, ...}. A state is `floor last
-- trimmed` if the caller knows the rest, else `epoch floor raise_id last base retained_since complete_after`. Follows
-- server.lua; `check_partition` is epoch.lua and state.lua as a function that returns the latter.
-- KEYS meta of each partition; on Redis Cluster of the first one only, since a script must declare no keys of several slots
-- ARGV[1] PUBLISH or SPUBLISH
-- ARGV[2] channel of the marker, '' for none: scripts are atomic, and a connection is first in, first out, so all signals of
-- earlier updates arrive before it
-- ARGV[3] the marker
-- ARGV[4] retention, in microseconds
-- ARGV[5] time covered by `recent`, in microseconds
-- ARGV[6] channel of the first partition's floor
-- ARGV[7] epoch last seen by the caller, '' if none
-- ARGV[8] and so on, two for each partition: highest version and latest raise that the caller knows
-- Then meta of the partitions that KEYS lacks
local call = redis.call
local partitions = (#ARGV - 7 + #KEYS) / 3
local undeclared = 7 + 2 * partitions - #KEYS
local base = now - now % (ARGV[4] / 2)
local channel_prefix = string.match(ARGV[6], '^(.*):{')
local reply = { run_id, integer(now) }
for i = 1, partitions do
  local key = KEYS[i] or ARGV[undeclared + i]
  local seen, raise_id = ARGV[6 + 2 * i], ARGV[7 + 2 * i]
  local meta = call('HMGET', key, 'floor', 'last', 'history', 'raise', 'trimmed', 'server')
  local last = tonumber(meta[2]) or 0
  -- epoch.lua and state.lua would find nothing and change nothing.
  if
    meta[6] == server and meta[3] == ARGV[7] and meta[4] == raise_id and meta[5]
    and (meta[2] == seen or last >= tonumber(seen)) and last >= base
  then
    reply[i + 2] = meta[1] .. ' ' .. meta[2] .. ' ' .. meta[5]
  else
    local floor_channel = channel_prefix .. string.match(key, ':{.*}:') .. 'floor'
    reply[i + 2] = check_partition(
      { key }, { ARGV[1], floor_channel, ARGV[7], seen, '', raise_id, '', '0', ARGV[4], ARGV[5] }
    )
  end
end
if ARGV[2] ~= '' then call(ARGV[1], ARGV[2], ARGV[3]) end
return reply
