-- KEYS: store, run lease, callbacks, outstanding   ARGV: id, the generation that has to be the newest, or '' for any, limit per creator or 0, the text of the error
-- Gives up the newest generation, unless it has its outcome or a worker is at it. Answers {cancelled, op, generation, then id, generation and
-- cluster of each store that may begin now} or {no-record} or {overtaken, generation} or {decided, status} or {running}.
local id, limit = ARGV[1], tonumber(ARGV[3])
local r, at = load(KEYS[1]), now()
if r.generation == 0 then return { 'no-record' } end
if ARGV[2] ~= '' and r.generation ~= tonumber(ARGV[2]) then return { 'overtaken', text(r.generation) } end
if has_outcome(r) and r.code == 'cancelled' then return { 'cancelled', r.op, text(r.generation) } end -- the answer was lost
if has_outcome(r) then return { 'decided', r.status } end
-- An older delete that a provision waits for has the lease of the store; what waits is not at work.
local waits = r.op == 'provision' and r.open_delete > 0
if not waits and redis.call('EXISTS', KEYS[2]) == 1 then return { 'running' } end

local status = r.op == 'delete' and 'DELETE_FAILED' or 'FAILED'
add_callback(r, KEYS[1], KEYS[3], at, r.generation, status, 'cancelled', ARGV[4])
redis.call('HSET', KEYS[1], 'outcome_generation', text(r.generation), 'status', status, 'code', 'cancelled', 'error', ARGV[4], 'decided_at', text(at))
redis.call('HDEL', KEYS[1], 'next_run_at', 'held_at', 'force')
if r.run_generation ~= r.generation then -- no run has begun what it asks for
  forget_rotation(r, KEYS[1], text(r.generation))
  if r.restore_generation == text(r.generation) then -- one before may be half done
    if (r.restore_before or '') ~= '' then
      redis.call('HSET', KEYS[1], 'restore', r.restore_before, 'restore_generation', r.restore_before_generation)
    else
      redis.call('HDEL', KEYS[1], 'restore', 'restore_generation')
    end
    redis.call('HDEL', KEYS[1], 'restore_before', 'restore_before_generation')
  end
end
if r.op == 'delete' then redis.call('HSET', KEYS[1], 'open_delete', '0', 'delete_failed_generation', text(r.generation)) end
local answer = { 'cancelled', r.op, text(r.generation) }
if r.creator_queue then -- a delete too: no run of it comes that would leave the queue
  leave_queue(r, KEYS[1], id)
  append_admitted(answer, r.creator_queue, limit)
end
redis.call('ZADD', KEYS[4], at + FIRST_SWEEP_MS, id)
index_store(KEYS[1], id)
return answer
