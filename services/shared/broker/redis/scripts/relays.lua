-- Returns {receipt queries, relays, registry, 1 if relays may be missing} without the entries that have expired. Follows
-- entries.lua and registry.lua. The keys are the stored receipt queries and the relay registry.
-- KEYS[3] the record of the registry
-- ARGV[4] the state of the registry that the caller knows, '' if none
-- ARGV[5] by how much longer than those registered another entry may live, in microseconds
local stored = unexpired(KEYS[1])
if ARGV[2] ~= '' then redis.call('PEXPIRE', KEYS[1], math.ceil(longest / 1000)) end
local relays = unexpired(KEYS[2])
local registry, lost = check_registry(KEYS[3], ARGV[4], false)
-- An entry outlives the freshness of its relay: all that may be fresh have registered again after the time of one. Without a loss,
-- `lost` is 0: long ago.
local is_incomplete = math.abs(now - lost) < longest + ARGV[5]
return { stored, relays, registry, is_incomplete and 1 or 0 }
