-- KEYS: store   ARGV: id, limit per creator or 0       Answers 1 when the store was told to wait for a place and has one now.
-- Places are given back with what frees them; this also mends a line that somebody has touched by hand.
local id, limit = ARGV[1], tonumber(ARGV[2])
local r = load(KEYS[1])
if not r.parked then return 0 end
if has_place(r, id, limit) then return 1 end
for _, other in ipairs(redis.call('ZRANGE', line(r.line), 0, limit - 1)) do
  if redis.call('HGET', '{orch}:store:' .. other, 'line') ~= r.line then redis.call('ZREM', line(r.line), other) end
end
return has_place(r, id, limit) and 1 or 0
