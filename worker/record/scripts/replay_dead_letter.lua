-- KEYS: store, callbacks, outstanding, dead-letters, dead-letter-times, journal   ARGV: id, callback id, generation, sequence
-- Moves a dead letter back to the pending callbacks, unless it is obsolete.
-- Answers {queued, the callback}, {dropped} or {unknown}.
local r, at = load(KEYS[1]), now()
local json = redis.call('HGET', KEYS[4], ARGV[2])
if not json then
  -- The answer may have been lost, and the replay be repeated.
  local waiting = redis.call('HGET', KEYS[2], ARGV[4])
  local c = waiting and cjson.decode(waiting)
  if c and c.generation == ARGV[3] then return { 'queued', with_queue(waiting) } end
  return { 'unknown' }
end

redis.call('HDEL', KEYS[4], ARGV[2])
redis.call('ZREM', KEYS[5], ARGV[2])
if r.dead_letter_id == ARGV[2] then redis.call('HDEL', KEYS[1], 'dead_letter_id') end
local c = cjson.decode(json)
if obsolete(r, c) then return { 'dropped' } end
c.reason, c.replayed_at = nil, text(at)
json = cjson.encode(c)
put_callback(KEYS[2], ARGV[4], json, at)
redis.call('PERSIST', KEYS[1]) -- a deleted store's record expires once this is delivered
redis.call('PERSIST', KEYS[6])
redis.call('PERSIST', history(ARGV[1]))
redis.call('ZADD', KEYS[3], at + FIRST_SWEEP_MS, ARGV[1])
return { 'queued', with_queue(json) }
