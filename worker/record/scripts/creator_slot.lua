-- KEYS: store   ARGV: id, limit per creator or 0       Answers 1 when the store was throttled and has a slot now.
-- Slots are given back by the scripts that free them; this also repairs a queue that an operator has changed by hand.
local id, limit = ARGV[1], tonumber(ARGV[2])
local r = load(KEYS[1])
if not r.throttled then return 0 end
if has_slot(r, id, limit) then return 1 end
for _, other in ipairs(redis.call('ZRANGE', creator_queue(r.creator_queue), 0, limit - 1)) do
  if redis.call('HGET', '{orch}:store:' .. other, 'creator_queue') ~= r.creator_queue then redis.call('ZREM', creator_queue(r.creator_queue), other) end
end
return has_slot(r, id, limit) and 1 or 0
