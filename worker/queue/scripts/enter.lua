-- KEYS: store, gate, calls   ARGV: op, generation, token, lease ms, progress (1 or 0), id, limit per creator or 0, cluster
-- Answers {entered, request, attempts, crashes, patience left ms, 1 for a delete that retains the data or 0, then id, generation
-- and cluster of each store that may begin now},
-- or why not: {gone|superseded|done|waiting|parked|held|elsewhere}.
local op, gen, token, id, limit = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[6], tonumber(ARGV[7])
local r, at = load(KEYS[1]), now()

if r.gen == 0 then return { 'gone' } end
if op == 'delete' and gen <= r.deleted then return { 'done' } end
if not wanted(r, op, gen) then return { 'superseded' } end
if where(r, op) ~= ARGV[8] then return { 'elsewhere' } end
if op == 'provision' and r.status == 'READY' then return { 'done' } end
if op == 'provision' and r.del > 0 then return { 'waiting' } end
if op == 'provision' and not has_place(r, id, limit) then
  redis.call('HSET', KEYS[1], 'parked', ARGV[7])
  return { 'parked' }
end
if not take(KEYS[2], token, ARGV[4]) then return { 'held' } end

local attempts, crashes = tonumber(r.attempts or 0), tonumber(r.crashes or 0)
if r.run_gen ~= gen or r.run == 'ended' then
  -- The first run of this generation, or one that is asked for after its failure was told: it starts with all its chances.
  if decided(r) and r.gen == gen then r.deadline = at + r.patience end
  attempts, crashes = 0, 0
elseif (r.run or '') ~= '' and r.run ~= token then
  crashes = crashes + 1 -- that run never left
end
if op == 'provision' and r.parked then r.deadline = at + r.patience end -- the time in line is not the store's
redis.call('HSET', KEYS[1], 'run', token, 'run_gen', text(gen), 'attempts', attempts, 'crashes', crashes, 'deadline', text(r.deadline))
if op == 'delete' then redis.call('HSET', KEYS[1], 'del', text(gen)) end
local answer = { 'entered', r.request or '', tostring(attempts), tostring(crashes), text(r.deadline - at),
  (op == 'delete' and r.retain) and '1' or '0' }
if r.line and op == 'delete' then
  -- Whoever was inside before has left by now: not earlier than here is the place free.
  leave_line(r, KEYS[1], id)
  woken(answer, r.line, limit)
elseif r.line then
  redis.call('HDEL', KEYS[1], 'parked')
  redis.call('ZADD', line(r.line), '-' .. text(gen), id)
end
if ARGV[5] == '1' and r.pgen ~= gen and r.vgen ~= gen then
  redis.call('HSET', KEYS[1], 'pgen', text(gen))
  call(r, KEYS[1], KEYS[3], at, gen, op == 'delete' and 'DELETING' or 'PROVISIONING')
end
return answer
