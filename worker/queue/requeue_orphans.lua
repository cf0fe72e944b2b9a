-- KEYS: asynq's active list, pending list, lease zset of one queue   ARGV: prefix of its task keys
-- Moves active tasks whose worker's asynq lease has run out back to pending, as asynq's own requeue does
-- (internal/rdb: requeueCmd), and drops ids that have lost their task.
-- By Redis' clock: by a sweeper's own, one machine whose clock is ahead would take every worker's tasks away.
local t = redis.call('TIME')
local at = t[1] * 1000 + math.floor(t[2] / 1000)
local moved = {}
for _, id in ipairs(redis.call('LRANGE', KEYS[1], 0, -1)) do
  local lease = redis.call('ZSCORE', KEYS[3], id)
  if not lease or tonumber(lease) * 1000 < at then
    redis.call('LREM', KEYS[1], 0, id)
    redis.call('ZREM', KEYS[3], id)
    if redis.call('EXISTS', ARGV[1] .. id) == 1 then
      redis.call('RPUSH', KEYS[2], id)
      redis.call('HSET', ARGV[1] .. id, 'state', 'pending', 'pending_since', string.format('%.0f', at) .. '000000')
      moved[#moved + 1] = id
    end
  end
end
return moved
