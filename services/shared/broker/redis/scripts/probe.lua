-- Checks partitions of one server, then publishes a marker. Returns {server, now, state, state, ...}. A state is '' if the
-- caller knows it, `floor last trimmed` if it knows the rest, else `epoch floor raise_id last base retained_since
-- complete_after`. Lua hashes each string that it receives as a whole, so nothing is read that the caller knows. Follows
-- server.lua; `check_partition` is epoch.lua and state.lua as a function that returns the last form.
-- KEYS meta of each partition; on Redis Cluster of the first one only, since a script must declare no keys of several slots
-- ARGV[1] PUBLISH or SPUBLISH
-- ARGV[2] channel of the marker, '' for none: scripts are atomic, and a connection is first in, first out, so all signals of
-- earlier updates arrive before it
-- ARGV[3] the marker
-- ARGV[4] retention, in microseconds
-- ARGV[5] time covered by `recent`, in microseconds
-- ARGV[6] channel of the first partition's floor
-- ARGV[7] epoch last seen by the caller, '' if none
-- ARGV[8] the server on which an earlier probe of the caller returned the states of all these partitions, with those versions
-- and raises; '' if there was none
-- ARGV[9] and so on, two for each partition: highest version and latest raise that the caller knows
-- Then meta of the partitions that KEYS lacks
local call = redis.call
local partitions = (#ARGV - 8 + #KEYS) / 3
local undeclared = 8 + 2 * partitions - #KEYS
local base = now - now % (ARGV[4] / 2)
local channel_prefix = string.match(ARGV[6], '^(.*):{')
local is_known = server == ARGV[8]
local reply = { server, integer(now) }
for i = 1, partitions do
  local key = KEYS[i] or ARGV[undeclared + i]
  local seen, raise_id = ARGV[7 + 2 * i], ARGV[8 + 2 * i]
  local known = is_known and call('HMGET', key, 'last', 'raise')
  if known and known[1] == seen and known[2] == raise_id and tonumber(seen) >= base then
    reply[i + 2] = ''
  else
    local meta = call('HMGET', key, 'floor', 'last', 'history', 'raise', 'trimmed', 'server')
    local last = tonumber(meta[2]) or 0
    -- epoch.lua and state.lua would find nothing and change nothing.
    if
      meta[6] == server and meta[3] == ARGV[7] and meta[4] == raise_id and meta[5]
      and last >= tonumber(seen) and last >= base
    then
      reply[i + 2] = meta[1] .. ' ' .. meta[2] .. ' ' .. meta[5]
    else
      local floor_channel = channel_prefix .. string.match(key, ':{.*}:') .. 'floor'
      reply[i + 2] = check_partition(
        { key }, { ARGV[1], floor_channel, ARGV[7], seen, '', raise_id, '', '0', ARGV[4], ARGV[5] }
      )
    end
  end
end
if ARGV[2] ~= '' then call(ARGV[1], ARGV[2], ARGV[3]) end
return reply
