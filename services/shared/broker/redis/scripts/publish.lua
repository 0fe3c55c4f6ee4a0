-- Assigns a version, stores, indexes and signals one update. Returns {version, epoch}. Follows epoch.lua.
-- KEYS[2] register of the topic
-- KEYS[3] recent
-- ARGV[7] topic
-- ARGV[8] channel of the topic
-- ARGV[9] encoded body
-- ARGV[10] TTL of the register, in milliseconds after the time that its version stands for
-- ARGV[11] time covered by `recent`, in microseconds
local version = math.max(now, last + 1, seen + 1)
local trimmed = integer(version - tonumber(ARGV[11]))
redis.call('HSET', KEYS[1], 'last', integer(version), 'trimmed', trimmed)
redis.call('HSET', KEYS[2], 'version', integer(version), 'body', ARGV[9])
-- The version may be ahead of the clock, and `base`, which replaces an expired version, must be above it.
redis.call('PEXPIRE', KEYS[2], ARGV[10] + math.floor((version - now) / 1000))
redis.call('ZADD', KEYS[3], integer(version), ARGV[7])
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', trimmed)
redis.call(ARGV[1], ARGV[8], integer(version) .. ' ' .. ARGV[9])
return { integer(version), epoch }
