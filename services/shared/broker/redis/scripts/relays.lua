-- Stores one entry of KEYS[1] and returns the entries of both keys that have not expired, each as
-- {id, text, id, text, ...}, and 1 if the entry is new. The keys are the relay registry and the stored receipt queries.
-- ARGV[1] id of the entry
-- ARGV[2] text of the entry, '' removes it
-- ARGV[3] TTL of an entry in microseconds, unless its text has a `ttlMs`; the key expires after the longest TTL
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local added = 0
if ARGV[2] == '' then
  redis.call('HDEL', KEYS[1], ARGV[1])
else
  added = redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f', now) .. ' ' .. ARGV[2])
end
local longest = 0
local function fresh(key)
  local entries = redis.call('HGETALL', key)
  local kept = {}
  for i = 1, #entries, 2 do
    local at, text = string.match(entries[i + 1], '^(%d+) (.*)$')
    local own = text and string.match(text, '"ttlMs":(%d+)')
    local ttl = own and tonumber(own) * 1000 or tonumber(ARGV[3])
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
local stored = fresh(KEYS[1])
if ARGV[2] ~= '' then redis.call('PEXPIRE', KEYS[1], math.ceil(longest / 1000)) end
return { stored, fresh(KEYS[2]), added }
