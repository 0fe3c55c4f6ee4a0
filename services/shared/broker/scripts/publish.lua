-- Assigns a version, stores, indexes and signals one update. Returns {version, history}.
-- KEYS[2] the topic's register, KEYS[3] recent. ARGV[5] the topic, ARGV[6] its channel, ARGV[7] the body,
-- ARGV[8] how long to keep the register in ms, ARGV[9] how far back `recent` reaches in microseconds.
local version = math.max(now, last + 1, seen + 1)
redis.call('HSET', KEYS[1], 'last', integer(version))
redis.call('HSET', KEYS[2], 'version', integer(version), 'body', ARGV[7])
redis.call('PEXPIRE', KEYS[2], ARGV[8])
redis.call('ZADD', KEYS[3], integer(version), ARGV[5])
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', integer(version - tonumber(ARGV[9])))
redis.call(ARGV[1], ARGV[6], integer(version) .. ' ' .. ARGV[7])
return { integer(version), history }
