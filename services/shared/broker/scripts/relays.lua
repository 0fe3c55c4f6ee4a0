-- Notes one relay's load and returns the loads of all relays, as {id, load, id, load, ...}.
-- KEYS[1] relays. ARGV[1] the relay's id, ARGV[2] its load ('' where it goes), ARGV[3] how long a load counts, in
-- microseconds, which is also how long the key outlives the last relay.
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
if ARGV[2] == '' then
  redis.call('HDEL', KEYS[1], ARGV[1])
else
  redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f', now) .. ' ' .. ARGV[2])
  redis.call('PEXPIRE', KEYS[1], tonumber(ARGV[3]) / 1000)
end
local entries = redis.call('HGETALL', KEYS[1])
local fresh = {}
for i = 1, #entries, 2 do
  local at, load = string.match(entries[i + 1], '^(%d+) (.*)$')
  if at and math.abs(now - tonumber(at)) < tonumber(ARGV[3]) then
    fresh[#fresh + 1] = entries[i]
    fresh[#fresh + 1] = load
  else
    redis.call('HDEL', KEYS[1], entries[i])
  end
end
return fresh
