-- KEYS: graves   ARGV: how many, ms until the next look
-- Answers id, generation and whether the data is retained (1 or 0) of the stores whose grace is over.
local at, answer = now(), {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', at, 'LIMIT', 0, ARGV[1])) do
  local f = redis.call('HMGET', '{orch}:store:' .. id, 'delete_at', 'generation', 'delete_retains')
  if f[1] then
    redis.call('ZADD', KEYS[1], at + ARGV[2], id) -- until the delete is accepted
    answer[#answer + 1] = id
    answer[#answer + 1] = f[2]
    answer[#answer + 1] = f[3] or '0'
  else
    redis.call('ZREM', KEYS[1], id)
  end
end
return answer
