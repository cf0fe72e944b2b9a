-- KEYS: healing of a cluster   ARGV: cluster, how many, for how long after its failure a store may heal in ms
-- Answers id, generation and namespace of the stores that are to be looked at now.
local at, answer = now(), {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', at, 'LIMIT', 0, ARGV[2])) do
  local r = load('{orch}:store:' .. id)
  local decided = tonumber(r.decided_at or 0)
  if not may_heal(r) or run_cluster(r, 'provision') ~= ARGV[1] or at - decided > tonumber(ARGV[3]) then
    redis.call('ZREM', KEYS[1], id)
  else
    redis.call('ZADD', KEYS[1], next_heal(at, decided), id)
    answer[#answer + 1] = id
    answer[#answer + 1] = text(r.generation)
    answer[#answer + 1] = r.namespace
  end
end
return answer
