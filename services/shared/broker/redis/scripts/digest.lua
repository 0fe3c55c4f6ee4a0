-- Returns the state of a partition and what changed after a cursor: {epoch, floor, raise_id, last, base, retained_since,
-- complete_after, {topic, version, ...}}. Follows epoch.lua.
-- KEYS[2] recent
-- ARGV[9] cursor, exclusive
-- ARGV[10] maximum number of topics to return
-- ARGV[11] retention, in microseconds
-- ARGV[12] time covered by `recent`, in microseconds
local retention = tonumber(ARGV[11])
-- The time that versions are based on never goes back, even if the clock does.
local time = math.max(now, last)
local base = time - time % (retention / 2)
-- Only publishing trims `recent`: a raise of the floor or of the base alone does not shorten what it covers.
local complete_after = trimmed or last - tonumber(ARGV[12])
if base > last then
  -- The base is returned as a version, so the next published version must be above it.
  last = base
  redis.call('HSET', KEYS[1], 'last', integer(last))
end
if ARGV[7] ~= '' then
  -- Forgets publishers that have published nothing for long: most of them have ended.
  local fields = redis.call('HGETALL', KEYS[1])
  for i = 1, #fields, 2 do
    if string.sub(fields[i], 1, 10) == 'published:' and tonumber(fields[i + 1]) < time - 2 * retention then
      redis.call('HDEL', KEYS[1], fields[i])
    end
  end
end
local changed = redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. ARGV[9], '+inf', 'WITHSCORES', 'LIMIT', 0, ARGV[10])
for i = 2, #changed, 2 do
  changed[i] = integer(tonumber(changed[i]))
end
return {
  epoch, integer(floor), raise_id, integer(last), integer(base), integer(time - retention), integer(complete_after), changed,
}
