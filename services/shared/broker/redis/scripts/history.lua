-- Prologue of every script: has this partition's history changed?
-- KEYS[1] meta. ARGV[1] PUBLISH or SPUBLISH, ARGV[2] the floor's channel, ARGV[3] the history that the
-- caller last saw ('' for none), ARGV[4] the highest version that the caller has seen here, ARGV[5] 1 where the
-- caller has passed on a promise that was made under that history, ARGV[6] the newest raise of the floor that the
-- caller knows ('' where it does not look).
-- tostring() of a number this large loses digits, hence format().
local function integer(value)
  return string.format('%.0f', value)
end

local clock = redis.call('TIME') -- not frozen within a script: read once
local now = clock[1] * 1000000 + clock[2]
local seen = tonumber(ARGV[4])

local history = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
  .. '.' .. string.match(redis.call('INFO', 'replication'), 'master_replid:(%w+)')

local meta = redis.call('HMGET', KEYS[1], 'floor', 'last', 'history', 'raise', 'trimmed')
local floor = tonumber(meta[1]) or 0
local last = tonumber(meta[2]) or 0
local raise = meta[4] or ''
local trimmed = tonumber(meta[5])

-- Has this server forgotten something that the caller was told of?
local forgot = false
if ARGV[3] == '' then
  forgot = false -- it has seen nothing
elseif last < seen then
  forgot = true -- flushed, and somebody who had seen less came first
elseif ARGV[6] ~= '' then
  forgot = ARGV[6] ~= raise and floor <= seen -- numbers were given twice
elseif ARGV[3] ~= history then
  -- Split brain. A promise may be younger than the floor, whatever the numbers say: two masters' clocks may disagree.
  forgot = floor < seen or ARGV[5] == '1'
end

-- Or nobody has looked since the history changed: a restart, a promotion, data that are gone.
if meta[3] ~= history or forgot then
  floor = math.max(last, seen)
  if floor >= now then
    -- The clock is behind: the numbers that follow may have been given under a history that only clients remember.
    floor = floor + tonumber(string.sub(redis.sha1hex(history), 1, 5), 16)
  end
  floor = math.max(now, floor) + 1
  last = floor
  trimmed = trimmed or floor -- what changed before is told by the floor
  raise = string.sub(history, 1, 8) .. '.' .. integer(now) .. '.' .. integer(floor)
  redis.call(
    'HSET', KEYS[1], 'floor', integer(floor), 'last', integer(last), 'history', history, 'raise', raise,
    'trimmed', integer(trimmed)
  )
  redis.call(ARGV[1], ARGV[2], integer(floor) .. ' ' .. raise)
end
