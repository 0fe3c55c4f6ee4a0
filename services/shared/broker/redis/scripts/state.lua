-- Completes the state of a partition. Leaves `time`, `base` and `complete_after` to the script that follows, and may raise
-- `last`. Follows epoch.lua.
-- ARGV[9] retention, in microseconds
-- ARGV[10] time covered by `recent`, in microseconds
local retention = tonumber(ARGV[9])
-- The time that versions are based on never goes back, even if the clock does.
local time = math.max(now, last)
local base = time - time % (retention / 2)
-- Only publishing trims `recent`: a raise of the floor or of the base alone does not shorten what it covers.
local complete_after = trimmed or last - tonumber(ARGV[10])
if base > last then
  -- The base is returned as a version, so the next published version must be above it.
  last = base
  redis.call('HSET', KEYS[1], 'last', integer(last))
end
