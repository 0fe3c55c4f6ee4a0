-- Prologue of every script that runs on a partition: checks the epoch, and raises the floor if the server may have lost
-- data. Leaves `now`, `seen`, `epoch`, `floor`, `last`, `raise_id` and `trimmed` to the script that follows.
-- KEYS[1] meta
-- ARGV[1] PUBLISH or SPUBLISH
-- ARGV[2] channel of the floor
-- ARGV[3] epoch last seen by the caller, '' if none
-- ARGV[4] highest version seen by the caller in this partition
-- ARGV[5] 1 if the caller acknowledged an update under that epoch
-- ARGV[6] latest raise of the floor known to the caller, '' if it does not track raises

-- tostring() of a number this large loses digits.
local function integer(value)
  return string.format('%.0f', value)
end

local clock = redis.call('TIME') -- not frozen within a script: read once
local now = clock[1] * 1000000 + clock[2]
local seen = tonumber(ARGV[4])

local epoch = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
  .. '.' .. string.match(redis.call('INFO', 'replication'), 'master_replid:(%w+)')

local meta = redis.call('HMGET', KEYS[1], 'floor', 'last', 'history', 'raise', 'trimmed')
local floor = tonumber(meta[1]) or 0
local last = tonumber(meta[2]) or 0
local raise_id = meta[4] or ''
local trimmed = tonumber(meta[5])

-- Has this server lost something that the caller has seen?
local lost = false
if ARGV[3] == '' then
  lost = false -- the caller has seen nothing
elseif last < seen then
  lost = true -- flushed, and a caller that had seen less ran a script first
elseif ARGV[6] ~= '' then
  lost = ARGV[6] ~= raise_id and floor <= seen -- versions were assigned twice
elseif ARGV[3] ~= epoch then
  -- Split brain. An acknowledged update may be younger than the floor whatever its version: two clocks may disagree.
  lost = floor < seen or ARGV[5] == '1'
end

-- The epoch also differs after a restart, a promotion or a loss of all data, until the first script has run.
if meta[3] ~= epoch or lost then
  floor = math.max(last, seen)
  if floor >= now then
    -- The clock is behind: the next versions may have been assigned under an epoch that only clients remember.
    floor = floor + tonumber(string.sub(redis.sha1hex(epoch), 1, 5), 16)
  end
  floor = math.max(now, floor) + 1
  last = floor
  trimmed = trimmed or floor -- the floor covers all earlier changes
  raise_id = string.sub(epoch, 1, 8) .. '.' .. integer(now) .. '.' .. integer(floor)
  redis.call(
    'HSET', KEYS[1], 'floor', integer(floor), 'last', integer(last), 'history', epoch, 'raise', raise_id,
    'trimmed', integer(trimmed)
  )
  redis.call(ARGV[1], ARGV[2], integer(floor) .. ' ' .. raise_id)
end
