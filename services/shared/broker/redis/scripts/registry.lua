-- Prologue of the scripts that use the relay registry: notices that it may have lost entries. Follows entries.lua; `identify` is
-- server.lua as a function that names the server and the data that it has loaded.

-- Returns the state of the registry, which is the time of its creation and that of its last loss (0 if none is known), and the
-- latter. Both are in a record of their own; without it, the registry is a new one.
-- known: the state that the caller knows, '' if none
-- has_lost: whether the caller knows of an entry that is gone
local function check_registry(key, known, has_lost)
  local stored = redis.call('GET', key) or ''
  local created, lost, server = string.match(stored, '^(%d+) (%d+) (.*)$')
  local current = identify()
  if not created then
    created, lost = stamp, '0'
  elseif server ~= current then
    lost = stamp
  end
  if known ~= '' and string.match(known, '^%d+') ~= created then
    -- What the caller knew was lost before this registry was created, so relays that are in this one have lost nothing.
    if lost == '0' then lost = created end
  elseif has_lost then
    lost = stamp
  end
  local state = created .. ' ' .. lost
  local record = state .. ' ' .. current
  if record ~= stored then redis.call('SET', key, record) end
  return state, tonumber(lost)
end

