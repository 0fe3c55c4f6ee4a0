-- Assigns a version, stores, indexes and signals one update. Returns {version, history}.
-- KEYS[2] the topic's register, KEYS[3] recent. ARGV[7] the topic, ARGV[8] its channel, ARGV[9] the body,
-- ARGV[10] how long to keep the register in ms, ARGV[11] how far back `recent` reaches in microseconds.
local version = math.max(now, last + 1, seen + 1)
redis.call('HSET', KEYS[1], 'last', integer(version))
redis.call('HSET', KEYS[2], 'version', integer(version), 'body', ARGV[9])
redis.call('PEXPIRE', KEYS[2], ARGV[10])
redis.call('ZADD', KEYS[3], integer(version), ARGV[7])
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', integer(version - tonumber(ARGV[11])))
redis.call(ARGV[1], ARGV[8], integer(version) .. ' ' .. ARGV[9])
return { integer(version), history }
