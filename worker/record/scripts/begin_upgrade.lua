-- KEYS: rollout, rollout:doing   ARGV: id, cluster, the edition that this worker would install
-- Whether the store may be upgraded by this worker: the first one says which edition a cluster gets. Answers {go, 1 where a data version may rise} or
-- {not-asked} or {other-edition, edition of the rollout}.
if redis.call('HGET', KEYS[1], 'state') ~= 'running' or not redis.call('ZSCORE', KEYS[2], ARGV[1]) then return { 'not-asked' } end
redis.call('HSETNX', KEYS[1], 'edition:' .. ARGV[2], ARGV[3])
local edition = redis.call('HGET', KEYS[1], 'edition:' .. ARGV[2])
if edition ~= ARGV[3] then return { 'other-edition', edition } end
return { 'go', redis.call('HGET', KEYS[1], 'without_backup') }
