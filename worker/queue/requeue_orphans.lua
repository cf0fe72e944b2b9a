-- KEYS: asynq's active list, pending list, lease zset of one queue, leases as seen before   ARGV: prefix of its task keys
-- Moves active tasks whose worker is dead back to pending, as asynq's own requeue does (internal/rdb: requeueCmd), and drops ids that
-- have lost their task.
-- asynq writes the end of a lease by the worker's clock and extends it every 5 s. By another clock, a machine 45 s behind would lose every
-- task that it runs. So an expired lease has to stand still as well, for longer than two extensions take; one that stands still for
-- twice its length is dead whatever the clocks say, and so is one that expired minutes ago: no clock is that wrong.
local STANDS_STILL_MS, TWICE_MS, LONG_AGO_MS = 15000, 60000, 300000
local t = redis.call('TIME')
local at = t[1] * 1000 + math.floor(t[2] / 1000)
local before, seen, moved = {}, {}, {}
local known = redis.call('HGETALL', KEYS[4])
for i = 1, #known, 2 do before[known[i]] = known[i + 1] end

local function dead(id, lease)
  if not lease then return true end
  local since = at
  local score, first = string.match(before[id] or '', '^(%S+) (%S+)$')
  if score == lease then since = tonumber(first) end
  seen[#seen + 1] = id
  seen[#seen + 1] = lease .. ' ' .. string.format('%.0f', since)
  local expired, still = at - tonumber(lease) * 1000, at - since
  return expired > LONG_AGO_MS or (expired > 0 and still >= STANDS_STILL_MS) or still >= TWICE_MS
end

for _, id in ipairs(redis.call('LRANGE', KEYS[1], 0, -1)) do
  if dead(id, redis.call('ZSCORE', KEYS[3], id)) then
    redis.call('LREM', KEYS[1], 0, id)
    redis.call('ZREM', KEYS[3], id)
    if redis.call('EXISTS', ARGV[1] .. id) == 1 then
      redis.call('RPUSH', KEYS[2], id)
      redis.call('HSET', ARGV[1] .. id, 'state', 'pending', 'pending_since', string.format('%.0f', at) .. '000000')
      moved[#moved + 1] = id
    end
  end
end
redis.call('DEL', KEYS[4])
for i = 1, #seen, 2 do redis.call('HSET', KEYS[4], seen[i], seen[i + 1]) end
redis.call('PEXPIRE', KEYS[4], 2 * TWICE_MS)
return moved
