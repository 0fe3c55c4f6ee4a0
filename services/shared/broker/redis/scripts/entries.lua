-- Prologue of the scripts that store an entry of the relay registry or a receipt query. Stores or removes it in KEYS[1], and
-- leaves `now`, `before` (the entry stored until now, or false), `longest` and `unexpired` to what follows.
-- ARGV[1] id of the entry
-- ARGV[2] text of the entry, '' removes it
-- ARGV[3] TTL of an entry in microseconds, unless its text has a `ttlMs`; the key expires after the longest TTL
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local stamp = string.format('%.0f', now)
local before = redis.call('HMGET', KEYS[1], ARGV[1])[1]
if ARGV[2] == '' then
  redis.call('HDEL', KEYS[1], ARGV[1])
else
  redis.call('HSET', KEYS[1], ARGV[1], stamp .. ' ' .. ARGV[2])
end

-- The longest TTL of the entries seen so far, in microseconds.
local longest = 0

local function ttl_of(text)
  local own = string.match(text, '"ttlMs":(%d+)')
  return own and tonumber(own) * 1000 or tonumber(ARGV[3])
end

-- Returns the entries of a key that have not expired, as {id, text, id, text, ...}, and deletes the others.
local function unexpired(key)
  local entries = redis.call('HGETALL', key)
  local kept = {}
  for i = 1, #entries, 2 do
    local at, text = string.match(entries[i + 1], '^(%d+) (.*)$')
    local ttl = text and ttl_of(text)
    if at and math.abs(now - tonumber(at)) < ttl then
      longest = math.max(longest, ttl)
      kept[#kept + 1] = entries[i]
      kept[#kept + 1] = text
    else
      redis.call('HDEL', key, entries[i])
    end
  end
  return kept
end

