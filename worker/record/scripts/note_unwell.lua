-- KEYS: unwell-stores of a cluster, rollout   ARGV: id of each store there that is unwell, followed by why
-- Records which stores of a cluster are unwell, of those at which nothing is to be done, and takes the others off the list. Pauses the rollout where it has
-- upgraded one of them. Answers how many of those there are.
local now_unwell = {}
for i = 1, #ARGV, 2 do
  local key = '{orch}:store:' .. ARGV[i]
  local r = load(key)
  if wanted(r, 'maintain', r.generation) and not r.suspended then
    now_unwell[ARGV[i]] = ARGV[i + 1]
    redis.call('HSET', key, 'unwell', ARGV[i + 1])
    redis.call('SADD', KEYS[1], ARGV[i])
    index_store(key, ARGV[i])
  end
end
for _, id in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  if not now_unwell[id] then
    redis.call('SREM', KEYS[1], id)
    redis.call('HDEL', '{orch}:store:' .. id, 'unwell')
    index_store('{orch}:store:' .. id, id)
  end
end
local found, first = 0, nil
for id, why in pairs(now_unwell) do
  if redis.call('SISMEMBER', rollout_key('done'), id) == 1 then
    found, first = found + 1, first or id
    redis.call('SMOVE', rollout_key('done'), rollout_key('failed'), id)
    redis.call('HSET', rollout_key('errors'), id, 'it was well after its upgrade and is not any more: ' .. why)
  end
end
if found > 0 and redis.call('HGET', KEYS[2], 'state') == 'running' then
  pause_rollout('store ' .. first .. ' is unwell after its upgrade' .. (found > 1 and ', and ' .. (found - 1) .. ' more' or ''))
end
return found
