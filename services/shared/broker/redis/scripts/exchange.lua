-- Returns {summary, receipt queries, registry}. The summary is the longest TTL, a space, and a line for each relay or, in a large
-- cluster, for a group of relays of about the same load; then it is kept for a while, so that not every relay reads every entry.
-- Follows entries.lua and registry.lua.
-- KEYS[1] relay registry
-- KEYS[2] stored receipt queries
-- KEYS[3] the summary that is kept
-- KEYS[4] the record of the registry
-- ARGV[4] maximum number of relays that have a line each
-- ARGV[5] for how long the summary of a larger cluster is kept, in milliseconds
-- ARGV[6] the state of the registry that this relay knows, '' if none
-- ARGV[7] the longest time for which its entry may have been stored, in microseconds; '' if it has none that must be there
local most = tonumber(ARGV[4])

-- Appends a group: two lines, whose averages are whole numbers, so that the sum of all connections is exact.
local function append(lines, relays, rest)
  local sum, shed, is_new = 0, 0, false
  for _, relay in ipairs(relays) do
    sum = sum + relay.connections
    shed = shed + relay.shed
    is_new = is_new or relay.is_new
  end
  if is_new then rest = rest .. ',"isNew":true' end
  local higher = sum % #relays
  local average = (sum - higher) / #relays
  for _, part in ipairs({ { #relays - higher, average }, { higher, average + 1 } }) do
    if part[1] > 0 then
      lines[#lines + 1] = string.format('{"relays":%d,"connections":%d,"shed":%.0f%s}', part[1], part[2], shed, rest)
      shed = 0
    end
  end
end

-- Relays that drain are a group of their own, and so are those with the fewest and the most connections.
local function group(entries)
  local active, draining, lines = {}, {}, {}
  for i = 2, #entries, 2 do
    local text = entries[i]
    local drains = string.find(text, '"draining":true', 1, true)
    local relays = drains and draining or active
    relays[#relays + 1] = {
      connections = tonumber(string.match(text, '"connections":(%d+)')) or 0,
      shed = tonumber(string.match(text, '"shed":(%d+)')) or 0,
      is_new = string.find(text, '"isNew":true', 1, true),
    }
  end
  if #draining > 0 then append(lines, draining, ',"draining":true') end
  table.sort(active, function(a, b) return a.connections < b.connections end)
  local size = math.max(1, math.ceil((#active - 2) / most))
  local first = 1
  while first <= #active do
    local last = (first == 1 or first == #active) and first or math.min(first + size - 1, #active - 1)
    append(lines, { unpack(active, first, last) }, '')
    first = last + 1
  end
  return lines
end

local function texts(entries)
  local lines = {}
  for i = 2, #entries, 2 do lines[#lines + 1] = entries[i] end
  return lines
end

local has_lost = false
if ARGV[7] ~= '' then
  -- An entry that is too old, or from the future, shows that the clock has stepped: others may expire early.
  local at = tonumber(before and string.match(before, '^%d+') or nil)
  has_lost = not at or now < at or now - at > tonumber(ARGV[7])
end
local kept = ARGV[2] ~= '' and before and redis.call('GET', KEYS[3])
local registry
if has_lost or not kept then
  registry = check_registry(KEYS[4], ARGV[6], has_lost)
else
  registry = string.match(redis.call('GET', KEYS[4]) or '', '^%d+ %d+') or ARGV[6]
end
local summary = kept
if kept then
  longest = tonumber(string.match(kept, '^%d+'))
else
  local entries = unexpired(KEYS[1])
  local is_large = #entries / 2 > most
  summary = string.format('%.0f ', longest) .. table.concat(is_large and group(entries) or texts(entries), '\n')
  if is_large then redis.call('SET', KEYS[3], summary, 'PX', ARGV[5]) end
end
local own = ARGV[2] ~= '' and ttl_of(ARGV[2])
if own and (not kept or own > longest) then
  -- The key outlives every entry that is stored while the summary is kept.
  redis.call('PEXPIRE', KEYS[1], math.ceil(math.max(longest, own) / 1000) + ARGV[5])
end
return { summary, unexpired(KEYS[2]), registry }
