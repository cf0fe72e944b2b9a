-- Ends a store whose cluster was given up: a delete is DELETED, since nothing of the store is left; anything else is FAILED, in a
-- generation of its own, so that a run that still goes on there is superseded. The store owns nothing then, and the next request
-- places it anew. Answers whether anything changed.
local function end_lost(id)
  if redis.call('EXISTS', LOST_CLUSTERS) == 0 then return false end
  local store, callbacks = '{orch}:store:' .. id, '{orch}:callbacks:' .. id
  local r, at = load(store), now()
  if r.generation == 0 then return false end
  local searches = r.clusters_to_search and (r.open_delete > 0 or not has_outcome(r))
  local lost = searches and run_cluster(r, 'delete') or cluster_of(r)
  if searches then
    local left = without_lost(r.clusters_to_search)
    if left == r.clusters_to_search then return false end
    if left ~= '' then
      redis.call('HSET', store, 'clusters_to_search', left)
      redis.call('ZADD', '{orch}:outstanding', at, id)
      return true
    end
  elseif not is_lost(lost) or (gone(r) and not r.retain_data) then
    return false
  end

  local function tell(gen, status, code, err)
    add_callback(r, store, callbacks, at, gen, status, code, err, 'any') -- no worker serves the queue of a cluster that is gone
  end
  local function decide(gen, status, code, err)
    redis.call('HSET', store, 'outcome_generation', text(gen), 'status', status, 'code', code, 'error', err, 'decided_at', text(at))
    r.outcome_generation, r.status = gen, status
  end

  local retained, alive = gone(r), not (r.op == 'provision' and has_outcome(r) and r.status == 'FAILED')
  local deleting = r.open_delete > 0 and r.open_delete or nil
  if deleting then
    redis.call('HSET', store, 'open_delete', '0', 'deleted_generation', text(deleting))
    tell(deleting, 'DELETED', '', '')
    if r.generation == deleting then decide(deleting, 'DELETED', '', '') end
  end
  if r.op == 'provision' and alive then
    local gen = math.max(r.generation + 1, at)
    local err = 'cluster ' .. lost .. ' was given up, and the store with it; post the store again to have it made elsewhere'
    redis.call('HSET', store, 'generation', text(gen), 'accepted_at', text(at), 'deadline', text(at + r.timeout_ms))
    tell(gen, 'FAILED', 'lost', err)
    decide(gen, 'FAILED', 'lost', err)
    redis.pcall('PUBLISH', '{orch}:newest', id)
  elseif r.op == 'delete' and not deleting and not retained then -- DELETE_FAILED
    local gen = math.max(r.generation + 1, at)
    redis.call('HSET', store, 'generation', text(gen), 'deleted_generation', text(gen))
    tell(gen, 'DELETED', '', '')
    decide(gen, 'DELETED', '', '')
  end

  free_hosts('{orch}:hosts', id, r.owned_hosts, '')
  if redis.call('HGET', '{orch}:namespaces', r.namespace or '') == id then redis.call('HDEL', '{orch}:namespaces', r.namespace) end
  remove_from_cluster(lost, id)
  if r.creator_queue then leave_queue(r, store, id) end
  redis.call('HDEL', store, 'cluster', 'clusters_to_search', 'name', 'namespace', 'engine', 'host', 'owned_hosts', 'run_hosts', 'retain_data', 'outputs',
    'throttled', 'held_at', 'held_ms', 'audited_at', 'edition', 'drifted', 'outdated', 'unwell', 'ready_generation', 'forgotten', 'contested_by', 'next_run_at', 'requested_by', 'request_id', 'trace', 'force', 'suspended', 'suspend_reason', 'protected', 'delete_at', 'delete_retains', 'delete_quiet', 'rotation', 'rotation_before')
  redis.call('ZADD', '{orch}:outstanding', at, id)
  index_store(store, id)
  return true
end
