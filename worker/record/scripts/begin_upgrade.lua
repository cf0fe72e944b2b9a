-- KEYS: rollout, rollout:doing, rollout:backups, backups-running
-- ARGV: id, cluster, the edition that this worker would install, generation, how many backups run at a time, or 0 where none is to be made first, ms after
-- which one that has not ended is given up, ms for which one that was made for the upgrade is used
-- Whether the store may be upgraded by this worker: the first one says which edition a cluster gets. A backup that is to be made first takes its place among
-- those that run. Answers {go, 1 where a data version may rise without a backup, the backup that was made or ''} or {not-asked} or {other-edition, edition of
-- the rollout} or {backups-run}.
local id, at, most = ARGV[1], now(), tonumber(ARGV[5])
if redis.call('HGET', KEYS[1], 'state') ~= 'running' or not redis.call('ZSCORE', KEYS[2], id) then return { 'not-asked' } end
redis.call('HSETNX', KEYS[1], 'edition:' .. ARGV[2], ARGV[3])
local edition = redis.call('HGET', KEYS[1], 'edition:' .. ARGV[2])
if edition ~= ARGV[3] then return { 'other-edition', edition } end

local without = redis.call('HGET', KEYS[1], 'without_backup')
if without == '1' or most == 0 then return { 'go', without, '' } end
local generation, made_at, made = string.match(redis.call('HGET', KEYS[3], id) or '', '^(%d+) (%d+) (.*)$')
if made and generation == ARGV[4] and at - tonumber(made_at) < tonumber(ARGV[7]) then return { 'go', without, made } end
redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', at - ARGV[6])
if not redis.call('ZSCORE', KEYS[4], backup_of_upgrade(id)) and redis.call('ZCARD', KEYS[4]) >= most then return { 'backups-run' } end
redis.call('ZADD', KEYS[4], at, backup_of_upgrade(id))
return { 'go', without, '' }
