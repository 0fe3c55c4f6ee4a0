-- What changed after a cursor. Returns {history, floor, last, base, retained, reach, {topic, version, ...}}.
-- KEYS[2] recent. ARGV[6] the cursor (exclusive), ARGV[7] the most topics to return, ARGV[8] the retention
-- and ARGV[9] how far back `recent` reaches, both in microseconds.
local retention = tonumber(ARGV[8])
local base = now - now % (retention / 2)
if base > last then
  -- The base is handed out as a version, so what is published next must be above it, also if the clock steps back.
  last = base
  redis.call('HSET', KEYS[1], 'last', integer(last))
end
local changed = redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. ARGV[6], '+inf', 'WITHSCORES', 'LIMIT', 0, ARGV[7])
for i = 2, #changed, 2 do
  changed[i] = integer(tonumber(changed[i]))
end
local reach = last - tonumber(ARGV[9])
return { history, integer(floor), integer(last), integer(base), integer(now - retention), integer(reach), changed }
