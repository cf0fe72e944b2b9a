-- KEYS: store, hosts, namespaces, stores, outstanding, journal, records-complete
-- ARGV: id, op, digest, request, name, namespace, engine, host, timeout ms, channel, creator, retain (1 or 0), placement,
-- the generation that has to be the newest, or '' for any, who asks, the id of that request, what its run does again, separated by spaces,
-- 1 to suspend the store, 0 to resume it or '' to leave it as it is, why it is suspended, how many stores a creator may have or 0, after how many
-- ms a store that is suspended is to be deleted, with retain, or '' for never, 1 to rotate the store's credentials,
-- 1 for a grace of which the backend is told nothing, the request's trace or '', the backup as JSON that the store is to be restored from or ''
-- placement is JSON, or '' where there is one cluster only: the clusters, the candidates among them, the cluster that the
-- request names, and whether these are all clusters of the installation.
-- Answers {accepted|joined, generation, cluster of its task, trace of the request that it has joined or ''} or {changed|retained, field} or {owned, field} or
-- {incomplete, cluster} or {closed} or {hosts, most} or {deleting} or {protected} or {suspended} or {overtaken, generation} or
-- {quota, how many} or {uncounted}, where the stores of creators have to be counted first.
local id, op, digest, request, retain = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[12]
local want = { name = ARGV[5], namespace = ARGV[6], engine = ARGV[7], host = ARGV[8] }
end_lost(id) -- the store as it is now, if the pass over all stores has not come to it yet
local r, at, micros = load(KEYS[1]), now()

local placement = ARGV[13] ~= '' and cjson.decode(ARGV[13]) or nil
local current = (not gone(r) or r.retain_data) and cluster_of(r) or nil

-- A cluster from which the records were not recovered yet, or '' while the clusters are unknown. Nil marks the records complete.
local function unrecovered()
  for _, c in ipairs(placement and placement.all and placement.clusters or {}) do
    if redis.call('SISMEMBER', '{orch}:recovered-clusters', c.name) == 0 then return c.name end
  end
  if not (placement and placement.all) then return '' end
  redis.call('SET', KEYS[7], text(at))
  redis.call('DEL', '{orch}:recovered-clusters')
end

-- A store whose record was recovered may go on, unless it wants a host that a store of another cluster may own.
local function recovered()
  if not current or redis.call('SISMEMBER', '{orch}:recovered-clusters', current) == 0 then return false end
  return op == 'delete' or has_word(r.owned_hosts or '', want.host)
end

local function stores_on(cluster)
  if cluster ~= 'default' then return redis.call('SCARD', cluster_stores(cluster)) end
  local n = redis.call('HLEN', KEYS[3])
  for _, c in ipairs(placement.clusters) do
    if c.name ~= 'default' then n = n - redis.call('SCARD', cluster_stores(c.name)) end
  end
  return n
end

-- The open candidate with the fewest stores for its weight, healthy ones first.
local function choose_cluster()
  local allowed, best = {}, nil
  for _, name in ipairs(placement.candidates) do allowed[name] = true end
  for _, c in ipairs(placement.clusters) do
    local n = stores_on(c.name)
    if allowed[c.name] and not c.closed and not is_lost(c.name) and (c.max == 0 or n < c.max) then
      local unhealthy, load = 1 - redis.call('EXISTS', '{orch}:cluster-healthy:' .. c.name), (n + 1) / c.weight
      if not best or unhealthy < best.unhealthy or (unhealthy == best.unhealthy and load < best.load) then
        best = { name = c.name, unhealthy = unhealthy, load = load }
      end
    end
  end
  return best and best.name
end

-- An operator has to know whose host it is: its owner may be a store that the backend has forgotten.
local function contest(owner)
  local key = '{orch}:store:' .. owner
  if redis.call('HEXISTS', key, 'generation') == 0 then return end
  redis.call('HSET', key, 'contested_by', id)
  index_store(key, owner)
end

-- Whether the newest request does again all that this one wants done again.
local function forces_as_much()
  if ARGV[22] == '1' and r.rotation ~= text(r.generation) then return false end
  if ARGV[25] ~= '' and (r.restore ~= ARGV[25] or r.restore_generation ~= text(r.generation)) then return false end
  for word in string.gmatch(ARGV[17], '%S+') do
    if not has_word(r.force or '', word) then return false end
  end
  return true
end

-- Whether the store is to be suspended from this request on. A new one is not.
local suspend = ARGV[18]
if suspend == '' then suspend = gone(r) and '0' or r.suspended or '0' end
-- A backend that knows nothing of grace has asked for a shop.
if ARGV[18] == '' and op == 'provision' and r.delete_quiet == '1' then suspend = '0' end

-- Redis has lost its data: until the records are recovered, a live store would look like an unknown one.
if redis.call('EXISTS', KEYS[7]) == 0 then
  local missing = unrecovered()
  if missing and not recovered() then return { 'incomplete', missing } end
end

if current and placement and placement.named ~= '' and placement.named ~= current then return { gone(r) and 'retained' or 'changed', 'cluster' } end
if r.generation > 0 and not has_outcome(r) and r.op == op and r.digest == digest and forces_as_much() and (op == 'delete' or (r.suspended or '0') == suspend)
  and (ARGV[21] ~= '') == (r.delete_at ~= nil) then
  return { 'joined', text(r.generation), run_cluster(r, op), r.trace or '' }
end
-- It is to be deleted already: the earlier date stands.
if ARGV[21] ~= '' and r.delete_at and r.op == 'provision' then return { 'joined', text(r.generation), run_cluster(r, op), r.trace or '' } end
-- The request was made for a generation, and a newer one was accepted meanwhile.
if ARGV[14] ~= '' and r.generation ~= tonumber(ARGV[14]) then return { 'overtaken', text(r.generation) } end
if ARGV[21] ~= '' and r.protected then return { 'protected' } end
if (ARGV[22] == '1' or ARGV[25] ~= '') and suspend == '1' then return { 'suspended' } end -- there is no running shop or database for it
if op == 'provision' then
  if not gone(r) or r.retain_data then
    for _, field in ipairs({ 'engine', 'name', 'namespace' }) do
      if (r[field] or '') ~= '' and r[field] ~= want[field] then return { gone(r) and 'retained' or 'changed', field } end
    end
  end
  for i, field in ipairs({ 'host', 'namespace' }) do
    local owner = redis.call('HGET', KEYS[1 + i], want[field])
    if owner and owner ~= id then
      contest(owner)
      return { 'owned', field }
    end
  end
elseif r.protected then
  return { 'protected' }
elseif retain == '1' and r.open_delete > 0 and not r.retain_data then
  return { 'deleting' } -- a delete of the data cannot be undone
end
if op == 'provision' and gone(r) and not r.retain_data and tonumber(ARGV[20]) > 0 and ARGV[11] ~= '' then
  if redis.call('GET', '{orch}:creators-counted') ~= 'done' then return { 'uncounted' } end
  local most = tonumber(redis.call('HGET', '{orch}:quotas', ARGV[11]) or ARGV[20])
  if redis.call('SCARD', creator_stores(ARGV[11])) >= most then return { 'quota', text(most) } end
end
local cluster = current
if op == 'provision' and not current then
  cluster = 'default'
  if placement then cluster = choose_cluster() end
  if not cluster then return { 'closed' } end
end

-- A host that a run may have put into the cluster stays owned until the shop has left it: another store must not share an
-- ingress with it. One whose generation never had a run is free again.
local hosts = gone(r) and '' or (r.run_hosts or '')
if not has_word(hosts, want.host) then hosts = hosts .. ' ' .. want.host end
if op == 'provision' and count_words(hosts) > MAX_HOSTS then return { 'hosts', tostring(MAX_HOSTS) } end

if op == 'provision' and gone(r) and not r.retain_data then
  forget_backups(id, KEYS[1])
  r.restore = nil
end
local gen, timeout = math.max(r.generation + 1, at), tonumber(ARGV[9])
if op == 'provision' and (r.restore or ARGV[25] ~= '') then timeout = timeout + RESTORE_MS end -- its run goes on with it
redis.call('PERSIST', KEYS[1])
redis.call('PERSIST', KEYS[6])
redis.call('PERSIST', history(id))
redis.call('PERSIST', backups_of(id))
redis.call('HSET', KEYS[1], 'generation', text(gen), 'op', op, 'digest', digest, 'accepted_at', text(at),
  'timeout_ms', text(timeout), 'deadline', text(at + timeout))
redis.call('HDEL', KEYS[1], 'status', 'code', 'error', 'decided_at', 'throttled', 'held_at', 'held_ms', 'forgotten', 'contested_by', 'force', 'delete_at', 'delete_retains', 'delete_quiet')
redis.call('ZREM', GRAVES, id) -- whatever is asked for now counts
if ARGV[21] ~= '' then
  redis.call('HSET', KEYS[1], 'delete_at', text(at + ARGV[21]), 'delete_retains', retain)
  if ARGV[23] == '1' then redis.call('HSET', KEYS[1], 'delete_quiet', r.suspended and '2' or '1') end
  redis.call('ZADD', GRAVES, at + ARGV[21], id)
end
if ARGV[17] ~= '' then redis.call('HSET', KEYS[1], 'force', ARGV[17]) end
if ARGV[22] == '1' then redis.call('HSET', KEYS[1], 'rotation', text(gen), 'rotation_before', r.rotation or '') end
if ARGV[25] ~= '' then -- instead of one that was not done yet
  redis.call('HSET', KEYS[1], 'restore', ARGV[25], 'restore_generation', text(gen), 'restore_before', r.restore or '', 'restore_before_generation', r.restore_generation or '')
end
if op == 'delete' then
  redis.call('HSET', KEYS[1], 'open_delete', text(gen))
  if retain == '1' then redis.call('HSET', KEYS[1], 'retain_data', '1') else redis.call('HDEL', KEYS[1], 'retain_data') end
  if placement and placement.named ~= '' then
    r.clusters_to_search = placement.named
  elseif placement and not cluster_of(r) and not r.clusters_to_search then
    local names = {}
    for _, c in ipairs(placement.clusters) do names[#names + 1] = c.name end
    local all = table.concat(names, ' ')
    local left = without_lost(all)
    r.clusters_to_search = left ~= '' and left or all
  end
  if r.clusters_to_search then redis.call('HSET', KEYS[1], 'clusters_to_search', r.clusters_to_search) end
  if r.generation == 0 then redis.call('HSET', KEYS[1], 'request', request) end
else
  if gone(r) and not r.retain_data then redis.call('HDEL', KEYS[1], 'protected', 'rotation', 'rotation_before') end
  if suspend == '1' then
    redis.call('HSET', KEYS[1], 'suspended', '1')
    if ARGV[18] ~= '' then redis.call('HSET', KEYS[1], 'suspend_reason', ARGV[19]) end
  else
    redis.call('HDEL', KEYS[1], 'suspended', 'suspend_reason')
  end
  redis.call('HSET', KEYS[1], 'request', request, 'name', want.name, 'namespace', want.namespace, 'engine', want.engine, 'host', want.host)
  free_hosts(KEYS[2], id, r.owned_hosts, hosts)
  redis.call('HSET', KEYS[1], 'owned_hosts', hosts)
  redis.call('HSET', KEYS[2], want.host, id)
  redis.call('HSET', KEYS[3], want.namespace, id)
  if placement then
    redis.call('HSET', KEYS[1], 'cluster', cluster)
  elseif not current then
    redis.call('HDEL', KEYS[1], 'cluster')
  end
  r.cluster = cluster
  add_to_cluster(cluster, id)
  if gone(r) then join_queue(KEYS[1], id, ARGV[11], gen) end
end
redis.call('ZADD', KEYS[4], text(micros), id) -- no two stores share a score: pages end between scores
redis.call('ZADD', KEYS[5], at + FIRST_SWEEP_MS, id)
if ARGV[15] ~= '' then
  redis.call('HSET', KEYS[1], 'requested_by', ARGV[15], 'request_id', ARGV[16])
else
  redis.call('HDEL', KEYS[1], 'requested_by', 'request_id')
end
if ARGV[24] ~= '' then redis.call('HSET', KEYS[1], 'trace', ARGV[24]) else redis.call('HDEL', KEYS[1], 'trace') end
index_store(KEYS[1], id)
local queue = run_cluster(r, op)
queue = queue == 'default' and op or op .. '.' .. queue
redis.pcall('PUBLISH', ARGV[10], id .. ' ' .. queue) -- it only saves time, and what is recorded must not end in an error
return { 'accepted', text(gen), run_cluster(r, op), '' }
