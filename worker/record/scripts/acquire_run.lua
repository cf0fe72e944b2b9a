-- KEYS: store, run lease, callbacks   ARGV: op, generation, token, lease ms, progress (1 or 0), id, limit per creator or 0, cluster, whether runs wait
-- on a hold (1 or 0)
-- Answers {acquired, request, attempts, crashes, ms until the deadline, 1 for a delete that retains the data or 0, who requested it and by which
-- request and what it does again, where the generation is the newest, 1 for a store that is to be suspended or 0, the same for
-- one that is protected, how long this generation has waited on a hold in ms, when the store is to be deleted or '',
-- whether its data is retained then, the generation that asked last to rotate the credentials or 0,
-- 1 for a grace of which the backend is told nothing, 2 if it was suspended before, or 0,
-- the trace of the request, where the generation is the newest, 1 for the first run of the generation or 0, 1 for a store that has been READY or 0, the backup as JSON that it is to be restored from or '', the generation of that restore or 0, then id, generation and cluster of each store that may begin now},
-- or why not: {no-record|superseded|done|waiting|throttled|held|on-hold|other-cluster}.
local op, gen, token, id, limit = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[6], tonumber(ARGV[7])
local r, at = load(KEYS[1]), now()

if r.generation == 0 then return { 'no-record' } end
if op == 'delete' and gen <= r.deleted_generation then return { 'done' } end
if not wanted(r, op, gen) then return { 'superseded' } end
if r.generation == gen and has_outcome(r) and r.code == 'cancelled' then return { 'done' } end
if run_cluster(r, op) ~= ARGV[8] then return { 'other-cluster' } end
if op == 'provision' and succeeded(r) then return { 'done' } end
if op == 'provision' and r.open_delete > 0 then return { 'waiting' } end
if op == 'provision' and not has_slot(r, id, limit) then
  redis.call('HSET', KEYS[1], 'throttled', ARGV[7])
  return { 'throttled' }
end
if not take_lease(KEYS[2], token, ARGV[4]) then return { 'held' } end
if op == 'provision' and ARGV[9] == '1' and must_wait(r, at) then
  redis.call('DEL', KEYS[2])
  start_waiting(r, KEYS[1], id, at)
  return { 'on-hold' }
end
if op == 'provision' and r.held_at then -- the time on hold does not count
  r.held_ms, r.deadline = r.held_ms + at - r.held_at, r.deadline + at - r.held_at
  redis.call('HSET', KEYS[1], 'held_ms', text(r.held_ms))
  redis.call('HDEL', KEYS[1], 'held_at')
end

local first = r.run_generation ~= gen
local attempts, crashes = tonumber(r.attempts or 0), tonumber(r.crashes or 0)
if r.run_generation ~= gen or r.run_token == 'ended' then
  -- The first run of this generation, or one that is requested again after its failure was delivered: it starts with all its attempts.
  if has_outcome(r) and r.generation == gen then r.deadline = at + r.timeout_ms end
  attempts, crashes = 0, 0
elseif (r.run_token or '') ~= '' and r.run_token ~= token then
  crashes = crashes + 1 -- that run never released its lease
end
if op == 'provision' and r.throttled then r.deadline = at + r.timeout_ms end -- the time in the creator's queue does not count
redis.call('HSET', KEYS[1], 'run_token', token, 'run_generation', text(gen), 'attempts', attempts, 'crashes', crashes, 'deadline', text(r.deadline))
redis.call('HDEL', KEYS[1], 'next_run_at')
if op == 'delete' then
  redis.call('HSET', KEYS[1], 'open_delete', text(gen))
  if not r.retain_data then forget_restore(KEYS[1]) end -- from here on it cannot be cancelled
elseif not has_word(r.run_hosts or '', r.host or '') then
  redis.call('HSET', KEYS[1], 'run_hosts', (r.run_hosts or '') .. ' ' .. (r.host or ''))
end
local answer = { 'acquired', r.request or '', tostring(attempts), tostring(crashes), text(r.deadline - at),
  (op == 'delete' and r.retain_data) and '1' or '0', r.generation == gen and r.requested_by or '', r.generation == gen and r.request_id or '',
  r.generation == gen and r.force or '', r.suspended or '0', r.protected or '0', text(r.held_ms), r.delete_at or '', r.delete_retains or '0', r.rotation or '0', r.delete_quiet or '0',
  r.generation == gen and r.trace or '', first and '1' or '0', r.ready_generation and '1' or '0', r.restore or '', r.restore_generation or '0' }
if r.creator_queue and op == 'delete' then
  -- The run before this one has ended: from here on its slot is free.
  leave_queue(r, KEYS[1], id)
  append_admitted(answer, r.creator_queue, limit)
elseif r.creator_queue then
  redis.call('HDEL', KEYS[1], 'throttled')
  redis.call('ZADD', creator_queue(r.creator_queue), '-' .. text(gen), id)
end
if ARGV[5] == '1' and not quiet(r, gen) and r.progress_generation ~= gen and r.outcome_generation ~= gen then
  redis.call('HSET', KEYS[1], 'progress_generation', text(gen))
  add_callback(r, KEYS[1], KEYS[3], at, gen, op == 'delete' and 'DELETING' or 'PROVISIONING')
end
return answer
