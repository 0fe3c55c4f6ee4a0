-- What changed after a cursor. Returns {history, floor, raise, last, base, retained, reach, {topic, version, ...}}.
-- KEYS[2] recent. ARGV[7] the cursor (exclusive), ARGV[8] the most topics to return, ARGV[9] the retention
-- and ARGV[10] how far back `recent` reaches, both in microseconds.
local retention = tonumber(ARGV[9])
-- The time by which versions are made: it never goes back, also where the clock does.
local time = math.max(now, last)
local base = time - time % (retention / 2)
-- Only publishing trims `recent`: it reaches back as far as before where only the floor or the base have risen.
local reach = trimmed or last - tonumber(ARGV[10])
if base > last then
  -- The base is handed out as a version, so what is published next must be above it.
  last = base
  redis.call('HSET', KEYS[1], 'last', integer(last))
end
local changed = redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. ARGV[7], '+inf', 'WITHSCORES', 'LIMIT', 0, ARGV[8])
for i = 2, #changed, 2 do
  changed[i] = integer(tonumber(changed[i]))
end
return {
  history, integer(floor), raise, integer(last), integer(base), integer(time - retention), integer(reach), changed,
}
