-- Assigns a version, stores, indexes and signals one update. Returns {version, history}.
-- KEYS[2] the topic's register, KEYS[3] recent. ARGV[7] the topic, ARGV[8] its channel, ARGV[9] the body,
-- ARGV[10] how old the version may get before the register goes, in ms, ARGV[11] how far back `recent` reaches in microseconds.
local version = math.max(now, last + 1, seen + 1)
local trimmed = integer(version - tonumber(ARGV[11]))
redis.call('HSET', KEYS[1], 'last', integer(version), 'trimmed', trimmed)
redis.call('HSET', KEYS[2], 'version', integer(version), 'body', ARGV[9])
-- By the version, which may be ahead of the clock: what replaces its number must be above it.
redis.call('PEXPIRE', KEYS[2], ARGV[10] + math.floor((version - now) / 1000))
redis.call('ZADD', KEYS[3], integer(version), ARGV[7])
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', trimmed)
redis.call(ARGV[1], ARGV[8], integer(version) .. ' ' .. ARGV[9])
return { integer(version), history }
