-- Returns what changed in a partition after a cursor, and its state: {{topic, version, ...}, epoch, floor, raise_id, last,
-- base, retained_since, complete_after}. Follows state.lua.
-- KEYS[2] recent
-- ARGV[11] cursor, exclusive
-- ARGV[12] maximum number of topics to return
if ARGV[7] ~= '' then
  -- Forgets publishers that have published nothing for long: most of them have ended.
  local fields = redis.call('HGETALL', KEYS[1])
  for i = 1, #fields, 2 do
    local kind = string.match(fields[i], '^(%a+):')
    local version = (kind == 'published' or kind == 'covered') and tonumber(string.match(fields[i + 1], '%d+$'))
    if version and version < time - 2 * retention then
      redis.call('HDEL', KEYS[1], fields[i])
    end
  end
end
local changed = redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. ARGV[11], '+inf', 'WITHSCORES', 'LIMIT', 0, ARGV[12])
return {
  changed, epoch, integer(floor), raise_id, integer(last), integer(base), integer(time - retention), integer(complete_after),
}
