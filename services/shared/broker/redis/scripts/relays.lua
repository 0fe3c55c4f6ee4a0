-- Returns the entries of both keys that have not expired. Follows entries.lua. The keys are the stored receipt queries and the
-- relay registry.
local stored = unexpired(KEYS[1])
if ARGV[2] ~= '' then redis.call('PEXPIRE', KEYS[1], math.ceil(longest / 1000)) end
return { stored, unexpired(KEYS[2]) }
