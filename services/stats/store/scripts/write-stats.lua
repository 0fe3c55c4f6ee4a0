-- Stores the report of a process, and drops the oldest traces over the limits.
-- KEYS: [1] traces by the time of their first part, [2] their sizes, [3] wanted traces, [4] processes. All other keys
--   begin with ARGV[1], in the same slot.
-- ARGV: [2..4] limits: traces, bytes, bytes of one trace; [5..7] ages in milliseconds: traces, wanted, calls; [8] limit of
--   wanted; [9] process, [10] its record; then three lists, each preceded by its length: minute and calls; trace and part;
--   wanted.
-- Returns the time in microseconds, the number of traces, their bytes, and the wanted traces.
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local base, max_traces, max_bytes = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local max_of_trace, age_ms = tonumber(ARGV[4]), tonumber(ARGV[5])
local function exact(number) return string.format('%.0f', number) end

local at = 11
local function list(each, width)
  local last = at + tonumber(ARGV[at]) * width
  for i = at + 1, last, width do each(ARGV[i], ARGV[i + 1]) end
  at = last + 1
end

-- Ended processes are removed when the pages are read; until then their number is bounded here.
if redis.call('HLEN', KEYS[4]) > 1000 then redis.call('DEL', KEYS[4]) end
redis.call('HSET', KEYS[4], ARGV[9], exact(now) .. ' ' .. ARGV[10])
redis.call('PEXPIRE', KEYS[4], age_ms)
list(function(minute, calls)
  local key = base .. 'calls:' .. minute
  redis.call('HSET', key, ARGV[9], calls)
  redis.call('PEXPIRE', key, ARGV[7])
end, 2)

list(function(id, part)
  local size = tonumber(redis.call('HGET', KEYS[2], id) or 0)
  if size + #part > max_of_trace then return end
  redis.call('RPUSH', base .. 'trace:' .. id, part)
  redis.call('PEXPIRE', base .. 'trace:' .. id, age_ms)
  redis.call('HINCRBY', KEYS[2], id, #part)
  redis.call('HINCRBY', KEYS[2], 'all', #part)
  if size == 0 then redis.call('ZADD', KEYS[1], exact(now), id) end
end, 2)

local bytes = tonumber(redis.call('HGET', KEYS[2], 'all') or 0)
local traces = redis.call('ZCARD', KEYS[1])
while traces > 0 do
  local oldest = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
  if traces <= max_traces and bytes <= max_bytes and tonumber(oldest[2]) > now - age_ms * 1000 then break end
  local size = tonumber(redis.call('HGET', KEYS[2], oldest[1]) or 0)
  redis.call('ZREM', KEYS[1], oldest[1])
  redis.call('HDEL', KEYS[2], oldest[1])
  redis.call('DEL', base .. 'trace:' .. oldest[1])
  traces = traces - 1
  bytes = bytes - size
end
redis.call('HSET', KEYS[2], 'all', traces > 0 and exact(bytes) or 0)
redis.call('PEXPIRE', KEYS[1], age_ms)
redis.call('PEXPIRE', KEYS[2], age_ms)

list(function(id) redis.call('ZADD', KEYS[3], exact(now), id) end, 1)
redis.call('ZREMRANGEBYSCORE', KEYS[3], 0, exact(now - tonumber(ARGV[6]) * 1000))
redis.call('ZREMRANGEBYRANK', KEYS[3], 0, -1 - tonumber(ARGV[8]))
redis.call('PEXPIRE', KEYS[3], ARGV[6])
return { exact(now), exact(traces), exact(bytes), redis.call('ZRANGE', KEYS[3], 0, -1) }
