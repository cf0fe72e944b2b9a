-- KEYS: store, run lease, callbacks, hosts, namespaces, outstanding   ARGV: id, op, generation, token, status, code, error, limit per creator or 0, cluster, outputs or '', how many creators
-- may fail for one cause before the others wait, or 0, the edition that was applied or '', whether it is outdated (1 or 0), whether it
-- may heal after a failure (1 or 0), 1 for a restore that was refused or 0
-- Answers {recorded|unchanged|superseded|lost, then id, generation and cluster of each provision that may begin now}, or
-- {next-cluster, then those of the delete itself}: it has to look in another cluster, or {on-hold}: the store waits instead of failing.
local id, op, gen, token, status = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5]
local r, at = load(KEYS[1]), now()
local up = status == 'READY' or status == 'SUSPENDED' -- the store is as the newest provision wants it
local success = up or status == 'DELETED'

local function release_hosts(except)
  free_hosts(KEYS[4], id, r.owned_hosts, except)
  redis.call('HSET', KEYS[1], 'owned_hosts', except, 'run_hosts', up and except or '')
end

-- The provision that waited for this delete.
local function waiting_provision()
  if op == 'delete' and r.op == 'provision' and r.generation > gen and not has_outcome(r) then return { id, text(r.generation), run_cluster(r, 'provision') } end
  return {}
end

local function answer(result, next) return { result, unpack(next) } end

local failed_again = op == 'delete' and status == 'DELETE_FAILED' and gen == r.delete_failed_generation

-- The answer may have been lost and the outcome be sent again.
if op == 'delete' and (gen <= r.deleted_generation or (failed_again and r.open_delete ~= gen)) then return answer('unchanged', waiting_provision()) end
if not wanted(r, op, gen) then return { 'superseded' } end
if redis.call('GET', KEYS[2]) ~= token then return { 'lost' } end
if op == 'delete' and r.clusters_to_search and status == 'DELETED' then
  local rest = string.match(r.clusters_to_search, '^%S+%s+(.+)$')
  if run_cluster(r, op) ~= ARGV[9] then return { 'next-cluster', id, text(gen), run_cluster(r, op) } end -- the same answer was lost before
  if rest then
    redis.call('HSET', KEYS[1], 'clusters_to_search', rest)
    return { 'next-cluster', id, text(gen), string.match(rest, '^%S+') }
  end
end
if failed_again then
  -- A failed delete was run again and failed again: there is no callback, but it has ended and blocks no provision.
  redis.call('HSET', KEYS[1], 'open_delete', '0')
  return answer('unchanged', waiting_provision())
end
if op == 'provision' and has_outcome(r) and (succeeded(r) or not success) then return { 'unchanged' } end

if op == 'provision' and not success and not has_outcome(r) and count_failure(r, id, at, ARGV[6], ARGV[7], tonumber(ARGV[11])) then
  start_waiting(r, KEYS[1], id, at)
  return { 'on-hold' }
end

if not quiet(r, gen) then add_callback(r, KEYS[1], KEYS[3], at, gen, status, ARGV[6], ARGV[7]) end
if r.generation == gen then
  redis.call('HSET', KEYS[1], 'outcome_generation', text(gen), 'status', status, 'code', ARGV[6], 'error', ARGV[7], 'decided_at', text(at))
end
if up then
  release_hosts(r.host)
  release_hold(run_cluster(r, op), r.engine, at)
  redis.call('HDEL', KEYS[1], 'drifted', 'outdated') -- the run has mended what it has found
  if ARGV[12] ~= '' then redis.call('HSET', KEYS[1], 'edition', ARGV[12]) end
  if ARGV[13] == '1' then redis.call('HSET', KEYS[1], 'outdated', '1') end
end
-- A restore that was refused has touched nothing. After any other failure what is in the store is half restored: whatever is asked for next goes on with it.
if status == 'READY' or ARGV[15] == '1' then
  forget_restore(KEYS[1])
  if ARGV[15] == '1' then forget_rotation(r, KEYS[1], r.restore_generation) end -- that came with it: the shop is as it was
end
if status == 'READY' then
  redis.call('HSET', KEYS[1], 'ready_generation', text(gen))
  if ARGV[10] ~= '' then redis.call('HSET', KEYS[1], 'outputs', ARGV[10]) else redis.call('HDEL', KEYS[1], 'outputs') end
end
local next = waiting_provision()
if op == 'delete' then redis.call('HSET', KEYS[1], 'open_delete', '0', status == 'DELETED' and 'deleted_generation' or 'delete_failed_generation', text(gen)) end
if op == 'delete' and r.clusters_to_search then
  redis.call('HDEL', KEYS[1], 'clusters_to_search')
  -- The last cluster searched is where the store was, or where its leftovers are.
  if not cluster_of(r) then redis.call('HSET', KEYS[1], 'cluster', run_cluster(r, op)) end
end
if status == 'DELETED' then
  redis.call('HDEL', KEYS[1], 'outputs', 'ready_generation', 'audited_at', 'edition', 'drifted', 'outdated', 'unwell')
  release_hosts(next[1] and r.host or '')
  local owns = redis.call('HGET', KEYS[5], r.namespace or '') == id
  if not owns then redis.call('HDEL', KEYS[1], 'retain_data') end -- it owns no namespace that could hold data
  if not next[1] and not (owns and r.retain_data) then remove_from_cluster(cluster_of(r), id) end
  if owns and not next[1] and not r.retain_data then redis.call('HDEL', KEYS[5], r.namespace) end
  if next[1] and not (owns and r.retain_data) then forget_backups(id, KEYS[1]) end
  -- From here on the waiting provision is one of a new store.
  if next[1] then join_queue(KEYS[1], id, cjson.decode(r.request).creator_id or '', r.generation) end
end
if op == 'provision' and r.creator_queue then
  leave_queue(r, KEYS[1], id)
  append_admitted(next, r.creator_queue, tonumber(ARGV[8]))
end
if ARGV[14] == '1' and status == 'FAILED' and r.generation == gen then
  r = load(KEYS[1])
  if may_heal(r) then redis.call('ZADD', healing(run_cluster(r, op)), at + FIRST_HEAL_MS, id) end
end
redis.call('ZADD', KEYS[6], at + FIRST_SWEEP_MS, id)
if r.generation ~= gen then remember(r, id, gen, op, 'outcome', status, ARGV[6], ARGV[7], text(at)) end -- of a delete that a newer request waited for
index_store(KEYS[1], id)
return answer('recorded', next)
