-- KEYS: outstanding   ARGV: how many, ms until the next inspection       Answers the stores that are due.
local at = now()
local ids = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', at, 'LIMIT', 0, ARGV[1])
for _, id in ipairs(ids) do redis.call('ZADD', KEYS[1], at + ARGV[2], id) end
return ids
