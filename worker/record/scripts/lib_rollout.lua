-- The one rollout of the installation. Its stores are in one of todo (zset, by the order in which they come), doing (zset, since when), done, failed and
-- skipped (sets). backups (hash) has the backups that were made before upgrades which have not ended: generation, when that was in ms, JSON.
local ROLLOUT = '{orch}:rollout'

local function rollout_key(name) return ROLLOUT .. ':' .. name end

local function is_active(state) return state == 'gathering' or state == 'running' or state == 'paused' end

local function rollout_counts()
  return { todo = redis.call('ZCARD', rollout_key('todo')), doing = redis.call('ZCARD', rollout_key('doing')), done = redis.call('SCARD', rollout_key('done')),
    failed = redis.call('SCARD', rollout_key('failed')), skipped = redis.call('SCARD', rollout_key('skipped')) }
end

local function pause_rollout(reason) redis.call('HSET', ROLLOUT, 'state', 'paused', 'reason', reason) end
