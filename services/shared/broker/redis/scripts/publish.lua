-- Assigns a version, stores, indexes and signals one update. Returns {version, epoch}. Follows epoch.lua.
-- KEYS[2] register of the topic
-- KEYS[3] recent
-- ARGV[9] topic
-- ARGV[10] channel of the topic
-- ARGV[11] encoded body
-- ARGV[12] TTL of the register, in milliseconds after the time that its version stands for
-- ARGV[13] time covered by `recent`, in microseconds
local version = math.max(now, last + 1, seen + 1)
local trimmed = integer(version - tonumber(ARGV[13]))
redis.call('HSET', KEYS[1], 'last', integer(version), 'trimmed', trimmed, 'published:' .. ARGV[7], integer(version))
redis.call('HSET', KEYS[2], 'version', integer(version), 'body', ARGV[11])
-- The version may be ahead of the clock, and `base`, which replaces an expired version, must be above it.
redis.call('PEXPIRE', KEYS[2], ARGV[12] + math.floor((version - now) / 1000))
redis.call('ZADD', KEYS[3], integer(version), ARGV[9])
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', trimmed)
redis.call(ARGV[1], ARGV[10], integer(version) .. ' ' .. ARGV[11])
return { integer(version), epoch }
