-- KEYS: creators-counted or fleet-indexed, stores   ARGV: how many stores to look at
-- Puts stores into the indexes, of records that are older than one. Answers whether that is done (1 or 0).
local position, n = redis.call('GET', KEYS[1]) or '', tonumber(ARGV[1])
if position == 'done' then return 1 end
local rows = redis.call('ZRANGEBYSCORE', KEYS[2], position == '' and '-inf' or '(' .. position, '+inf', 'WITHSCORES', 'LIMIT', 0, n)
for i = 1, #rows, 2 do
  if redis.call('HEXISTS', '{orch}:store:' .. rows[i], 'generation') == 1 then index_store('{orch}:store:' .. rows[i], rows[i]) end
end
redis.call('SET', KEYS[1], #rows < 2 * n and 'done' or text(tonumber(rows[#rows])))
return #rows < 2 * n and 1 or 0
