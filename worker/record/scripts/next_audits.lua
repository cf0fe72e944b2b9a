-- KEYS: audit-pass, stores   ARGV: ms between the beginnings of two passes, how many stores to look at
-- Moves the pass over all stores on. Answers id, generation and cluster of those of the next ones that may be audited: nothing that was asked of
-- them is open, and no run has ended a moment ago, which has seen all that an audit would: within an hour, of a period of a day. The next pass comes to those.
local at, n = now(), tonumber(ARGV[2])
local began, position = tonumber(redis.call('HGET', KEYS[1], 'began') or 0), redis.call('HGET', KEYS[1], 'position')
if not position or (position == 'done' and at - began >= tonumber(ARGV[1])) then
  began, position = at, ''
  redis.call('HSET', KEYS[1], 'began', text(at))
end
if position == 'done' then return {} end
local rows = redis.call('ZRANGEBYSCORE', KEYS[2], position == '' and '-inf' or '(' .. position, '+inf', 'WITHSCORES', 'LIMIT', 0, n)
redis.call('HSET', KEYS[1], 'position', #rows < 2 * n and 'done' or text(tonumber(rows[#rows])))
local answer = {}
for i = 1, #rows, 2 do
  local r = load('{orch}:store:' .. rows[i])
  local recent = at - tonumber(r.decided_at or 0) < tonumber(ARGV[1]) / 24
  if not recent and wanted(r, 'maintain', r.generation) then
    answer[#answer + 1] = rows[i]
    answer[#answer + 1] = text(r.generation)
    answer[#answer + 1] = run_cluster(r, 'provision')
  end
end
return answer
