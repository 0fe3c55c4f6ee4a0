-- Assigns a version to each topic of one partition, stores, indexes and signals their updates, which have the same body.
-- Returns {epoch, server, newest version assigned to the caller before, version, previous version of the topic, ...}; `epoch`
-- is '' if it is the caller's, `server` unless INFO was read. `check_epoch` is server.lua and epoch.lua as a function. Lua
-- hashes each string as a whole, so long ones are not built or passed twice.
-- KEYS[2] recent
-- KEYS[3..] registers of the topics, then, if the body has `data`, the keys of the topics' newest update with `data`
-- ARGV[9] the server that INFO named on this connection a moment ago, `=` if it is the epoch in ARGV[3]; '' if it is not
-- known: then INFO is read again
-- ARGV[10] encoded body
-- ARGV[11] encoded body without `data`, if it has some
-- ARGV[12] TTL of `data`, in milliseconds

-- The TTL of a register is renewed by the first update in each such period.
local TTL_PERIOD_US = 600000000
local call = redis.call
local publisher = 'published:' .. ARGV[7]
local meta = call('HMGET', KEYS[1], 'floor', 'last', 'trimmed', 'server', 'history', publisher)
local floor = meta[1]
local last = tonumber(meta[2])
local trimmed = tonumber(meta[3])
local seen = tonumber(ARGV[4])
local epoch = meta[5]
local server = ARGV[9] == '=' and ARGV[3] or ARGV[9]
local now
-- epoch.lua would find nothing: the server is the one of the last check, and nothing contradicts the witness.
if
  server ~= '' and server == meta[4] and ARGV[3] == epoch and ARGV[6] == ''
  and last >= seen and tonumber(meta[6] or 0) >= tonumber(ARGV[8])
then
  local clock = call('TIME')
  now = clock[1] * 1000000 + clock[2]
  server = ''
else
  now, epoch, floor, last, trimmed, server = check_epoch()
end
local first_version = math.max(now, last + 1, seen + 1)
local version = first_version
local text
local body = ARGV[11] or ARGV[10]
local topics = ARGV[11] and (#KEYS - 2) / 2 or #KEYS - 2
-- The prefixes `<prefix>:{tag}:topic:` and `<prefix>:{tag}:update:`, by `<prefix>:{tag}:meta` and `<prefix>:{tag}:floor`.
local register_prefix = #KEYS[1] + 3
local channel = string.sub(ARGV[2], 1, -6) .. 'update:'
local reply = { epoch == ARGV[3] and '' or epoch, server, meta[6] or '0' }
for i = 3, topics + 2 do
  text = string.format('%.0f', version) -- slow, like each conversion of a number this large
  local signal = text .. ' ' .. ARGV[10]
  local topic = string.sub(KEYS[i], register_prefix)
  local previous = call('HMGET', KEYS[i], 'version')[1]
  if ARGV[11] then call('SET', KEYS[i + topics], signal, 'PX', ARGV[12]) end
  call('HSET', KEYS[i], 'version', text, 'body', body)
  if not previous or math.floor(previous / TTL_PERIOD_US) ~= math.floor(version / TTL_PERIOD_US) then
    -- The version may be ahead of the clock, and `base`, which replaces an expired version, must be above it.
    call('PEXPIRE', KEYS[i], REGISTER_TTL_MS + math.floor((version - now) / 1000))
  end
  call('ZADD', KEYS[2], text, topic)
  call(ARGV[1], channel .. topic, signal)
  -- Without a register, the topic has no update since it would have expired.
  previous = previous or string.format('%.0f', version - REGISTER_TTL_MS * 1000)
  reply[#reply + 1] = text
  reply[#reply + 1] = tonumber(previous) < tonumber(floor) and floor or previous
  version = version + 1
end
call('HSET', KEYS[1], 'last', text, publisher, text)
-- Trims `recent` once in a while: what it covers may be longer than its window, never shorter.
if not trimmed or first_version - trimmed > 1.25 * RECENT_WINDOW_US then
  local cutoff = string.format('%.0f', first_version - RECENT_WINDOW_US)
  call('HSET', KEYS[1], 'trimmed', cutoff)
  call('ZREMRANGEBYSCORE', KEYS[2], '-inf', cutoff)
end
return reply
