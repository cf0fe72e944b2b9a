-- KEYS: store, calls, open, dead, letters, journal   ARGV: id, callback id, generation, sequence
-- Puts a dead letter back among the callbacks to be told, unless nobody wants to hear it any more.
-- Answers {queued, cluster of its task}, {dropped} or {unknown}.
local r, at = load(KEYS[1]), now()
local json = redis.call('HGET', KEYS[4], ARGV[2])
if not json then
  -- The answer may have been lost, and the letter be asked for again.
  local waiting = redis.call('HGET', KEYS[2], ARGV[4])
  local c = waiting and cjson.decode(waiting)
  if c and c.generation == ARGV[3] then return { 'queued', c.cluster or 'default' } end
  return { 'unknown' }
end

redis.call('HDEL', KEYS[4], ARGV[2])
redis.call('ZREM', KEYS[5], ARGV[2])
if r.refused == ARGV[2] then redis.call('HDEL', KEYS[1], 'refused') end
local c = cjson.decode(json)
if stale(r, c) then return { 'dropped' } end
c.reason, c.asked = nil, text(at)
redis.call('HSET', KEYS[2], ARGV[4], cjson.encode(c))
redis.call('PERSIST', KEYS[1]) -- a deleted store's: it expires once this is told
redis.call('PERSIST', KEYS[6])
redis.call('ZADD', KEYS[3], at + 5000, ARGV[1])
return { 'queued', c.cluster or 'default' }
