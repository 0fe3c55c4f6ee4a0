-- Assigns a version, stores, indexes and signals one update. Returns {version, history}.
-- KEYS[2] the topic's register, KEYS[3] recent. ARGV[6] the topic, ARGV[7] its channel, ARGV[8] the body,
-- ARGV[9] how long to keep the register in ms, ARGV[10] how far back `recent` reaches in microseconds.
local version = math.max(now, last + 1, seen + 1)
redis.call('HSET', KEYS[1], 'last', integer(version))
redis.call('HSET', KEYS[2], 'version', integer(version), 'body', ARGV[8])
redis.call('PEXPIRE', KEYS[2], ARGV[9])
redis.call('ZADD', KEYS[3], integer(version), ARGV[6])
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', integer(version - tonumber(ARGV[10])))
redis.call(ARGV[1], ARGV[7], integer(version) .. ' ' .. ARGV[8])
return { integer(version), history }
