-- Assigns a version, stores, indexes and signals one update. Returns {version, epoch, previous
-- version of the topic}. Follows epoch.lua.
-- KEYS[2] register of the topic
-- KEYS[3] recent
-- KEYS[4] newest update with `data`, as in its signal
-- ARGV[9] topic
-- ARGV[10] channel of the topic
-- ARGV[11] encoded body
-- ARGV[12] TTL of the register, in milliseconds after the time that its version stands for
-- ARGV[13] time covered by `recent`, in microseconds
-- ARGV[14] encoded body without `data`, '' if it has none
-- ARGV[15] TTL of `data`, in milliseconds
local version = math.max(now, last + 1, seen + 1)
-- Without a register, the topic has no update since it would have expired.
local previous = redis.call('HMGET', KEYS[2], 'version')[1] or version - ARGV[12] * 1000
local trimmed = integer(version - tonumber(ARGV[13]))
redis.call('HSET', KEYS[1], 'last', integer(version), 'trimmed', trimmed, 'published:' .. ARGV[7], integer(version))
local signal = integer(version) .. ' ' .. ARGV[11]
local body = ARGV[11]
if ARGV[14] ~= '' then
  body = ARGV[14]
  redis.call('SET', KEYS[4], signal, 'PX', ARGV[15])
end
redis.call('HSET', KEYS[2], 'version', integer(version), 'body', body)
-- The version may be ahead of the clock, and `base`, which replaces an expired version, must be above it.
redis.call('PEXPIRE', KEYS[2], ARGV[12] + math.floor((version - now) / 1000))
redis.call('ZADD', KEYS[3], integer(version), ARGV[9])
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', trimmed)
redis.call(ARGV[1], ARGV[10], signal)
return { integer(version), epoch, integer(math.max(tonumber(previous), floor)) }
