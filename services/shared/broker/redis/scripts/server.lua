-- Prologue of every script that checks an epoch: the server on which it runs, and its time. Leaves `integer`, `now`, `run_id`,
-- `replication`, `server` and `loaded` to what follows.

-- tostring() of a number this large loses digits.
local function integer(value)
  return string.format('%.0f', value)
end

local clock = redis.call('TIME') -- not frozen within a script: read once
local now = clock[1] * 1000000 + clock[2]

local run_id = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
local replication = redis.call('INFO', 'replication')
local server = run_id .. '.' .. string.match(replication, 'master_replid:(%w+)')

-- Counts the keys of the last data that this process loaded: a full resynchronization or a reload changes it. Redis 7.
local function loaded()
  return string.match(redis.call('INFO', 'persistence'), 'rdb_last_load_keys_loaded:(%d+)') or ''
end

