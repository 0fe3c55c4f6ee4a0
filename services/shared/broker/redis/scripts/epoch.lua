-- Prologue of every script that runs on a partition: checks the epoch, and raises the floor if the server may have lost
-- data. Follows server.lua. Leaves `seen`, `epoch`, `floor`, `last`, `raise_id` and `trimmed` to the script that follows.
-- KEYS[1] meta
-- ARGV[1] PUBLISH or SPUBLISH
-- ARGV[2] channel of the floor
-- ARGV[3] epoch last seen by the caller, '' if none
-- ARGV[4] highest version seen by the caller in this partition
-- ARGV[5] if the caller acknowledged updates under that epoch: the sequence number of the newest one; of several epochs
-- separated by spaces, one for each; else ''
-- ARGV[6] latest raise of the floor known to the caller, '' if it does not track raises
-- ARGV[7] id of the caller if it publishes, else ''
-- ARGV[8] highest version that the caller has acknowledged, 0 if none

local seen = tonumber(ARGV[4])

local meta = redis.call(
  'HMGET', KEYS[1], 'floor', 'last', 'history', 'raise', 'trimmed', 'server', 'published:' .. ARGV[7],
  'covered:' .. ARGV[7]
)
local floor = tonumber(meta[1]) or 0
local last = tonumber(meta[2]) or 0
local epoch = meta[3]
local raise_id = meta[4] or ''
local trimmed = tonumber(meta[5])
local checked = meta[6] or epoch -- the server at the last check

-- Returns the sequence number of the newest acknowledgement that the witness contains under an epoch other than the given one.
local function newest_acknowledgement(except)
  local newest = 0
  local next_sequence = string.gmatch(ARGV[5], '%d+')
  for each in string.gmatch(ARGV[3], '%S+') do
    local sequence = next_sequence()
    if sequence and each ~= except then newest = math.max(newest, tonumber(sequence)) end
  end
  return newest
end

-- The first replica and an expired backlog change the replication id of a running master, which loses nothing. A master
-- that was a replica meanwhile has a second replication id, and has loaded data.
local function has_only_new_replication_id()
  if not checked or string.match(checked, '^%w+') ~= run_id then return false end
  if not string.find(replication, 'master_replid2:0+%c') then return false end
  local count = redis.call('HMGET', KEYS[1], 'loaded')[1]
  return count and count ~= '' and count == loaded()
end

if checked ~= server and has_only_new_replication_id() then
  checked = server
  redis.call('HSET', KEYS[1], 'server', server)
elseif checked == server and not meta[6] then
  redis.call('HSET', KEYS[1], 'server', server, 'loaded', loaded()) -- written by an older release
end

-- Has this server lost something that the caller has seen?
local lost = false
if ARGV[3] == '' then
  lost = false -- the caller has seen nothing
elseif string.sub(raise_id, -6) == '.first' and ARGV[3] ~= epoch and seen > now - 86400000000 then
  lost = true -- all data of the last day, and a caller that had seen nothing ran a script first
elseif last < seen then
  lost = true -- flushed, and a caller that had seen less ran a script first
elseif ARGV[6] ~= '' then
  lost = ARGV[6] ~= raise_id and floor <= seen -- versions were assigned twice
elseif ARGV[3] ~= epoch then
  -- Split brain. An acknowledged update may be younger than the floor whatever its version: two clocks may disagree. A raise
  -- for this witness, or a later one of the caller, covers it.
  local covered = ARGV[7] ~= '' and tonumber(string.match(meta[8] or '', '^%d+')) or 0
  lost = floor < seen or newest_acknowledgement(epoch) > covered
else
  -- Older data were loaded under the same epoch, and another publisher ran a script first.
  local acknowledged = tonumber(ARGV[8])
  lost = floor < acknowledged and (tonumber(meta[7]) or 0) < acknowledged
end

-- The server also differs after a restart, a promotion or a loss of all data, until the first script has run.
if checked ~= server or lost then
  if checked ~= server then epoch = server end
  floor = math.max(last, seen)
  if floor >= now then
    -- The clock is behind: the next versions may have been assigned under an epoch, or by a raise of this one, that only
    -- clients remember. Raises of the same epoch differ in their time.
    floor = floor + tonumber(string.sub(redis.sha1hex(epoch .. integer(last) .. integer(now)), 1, 5), 16)
  end
  floor = math.max(now, floor) + 1
  last = floor
  trimmed = trimmed or floor -- the floor covers all earlier changes
  raise_id = string.sub(epoch, 1, 8) .. '.' .. integer(now) .. '.' .. integer(floor)
  if not checked and ARGV[3] == '' then raise_id = raise_id .. '.first' end -- no earlier data are known
  redis.call(
    'HSET', KEYS[1], 'floor', integer(floor), 'last', integer(last), 'history', epoch, 'raise', raise_id,
    'trimmed', integer(trimmed), 'server', server, 'loaded', loaded()
  )
  if ARGV[7] ~= '' and ARGV[5] ~= '' then
    redis.call('HSET', KEYS[1], 'covered:' .. ARGV[7], newest_acknowledgement() .. ' ' .. integer(floor))
  end
  redis.call(ARGV[1], ARGV[2], integer(floor) .. ' ' .. raise_id)
end
