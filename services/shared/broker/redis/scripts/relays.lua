-- Notes one entry of KEYS[1], such as a relay's load, and returns what is fresh in it and in KEYS[2], each as
-- {id, text, id, text, ...}, and 1 where the entry was not there before. Questions that relays have not heard are noted
-- in the same way as relays are.
-- ARGV[1] the entry's id, ARGV[2] its text ('' where it goes), ARGV[3] how long an entry counts, in microseconds, which
-- is also how long the key outlives the last one.
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local added = 0
if ARGV[2] == '' then
  redis.call('HDEL', KEYS[1], ARGV[1])
else
  added = redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f', now) .. ' ' .. ARGV[2])
  redis.call('PEXPIRE', KEYS[1], tonumber(ARGV[3]) / 1000)
end
local function fresh(key)
  local entries = redis.call('HGETALL', key)
  local kept = {}
  for i = 1, #entries, 2 do
    local at, text = string.match(entries[i + 1], '^(%d+) (.*)$')
    if at and math.abs(now - tonumber(at)) < tonumber(ARGV[3]) then
      kept[#kept + 1] = entries[i]
      kept[#kept + 1] = text
    else
      redis.call('HDEL', key, entries[i])
    end
  end
  return kept
end
return { fresh(KEYS[1]), fresh(KEYS[2]), added }
