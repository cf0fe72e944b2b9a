-- KEYS: store, hosts, namespaces, stores, open, journal, marker
-- ARGV: id, op, digest, request, name, namespace, engine, host, patience ms, channel, creator, retain (1 or 0), places
-- places is JSON, or '' where there is one cluster only: the clusters, the candidates among them, the one that is named, and
-- whether these are all of the installation's.
-- Answers {accepted|joined, generation, cluster of its task} or {changed|retained, field} or {owned, field} or
-- {rebuilding, cluster} or {closed} or {deleting}.
local id, op, digest, request, retain = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[12]
local want = { name = ARGV[5], namespace = ARGV[6], engine = ARGV[7], host = ARGV[8] }
local r, at, micros = load(KEYS[1]), now()

local places = ARGV[13] ~= '' and cjson.decode(ARGV[13]) or nil
local lives = (not gone(r) or r.retain) and home(r) or nil

-- A cluster that was not surveyed yet, or '' while nobody knows which there are.
local function unsurveyed()
  for _, c in ipairs(places and places.all and places.clusters or {}) do
    if redis.call('SISMEMBER', '{orch}:surveyed', c.name) == 0 then return c.name end
  end
  if not (places and places.all) then return '' end
  redis.call('SET', KEYS[7], text(at))
  redis.call('DEL', '{orch}:surveyed')
end

-- A store that its cluster has brought back may go on, unless it wants what a store of another one may own.
local function brought_back()
  if not lives or redis.call('SISMEMBER', '{orch}:surveyed', lives) == 0 then return false end
  return op == 'delete' or string.find(' ' .. (r.hosts or '') .. ' ', ' ' .. want.host .. ' ', 1, true)
end

local function stores_on(cluster)
  if cluster ~= 'default' then return redis.call('SCARD', members(cluster)) end
  local n = redis.call('HLEN', KEYS[3])
  for _, c in ipairs(places.clusters) do
    if c.name ~= 'default' then n = n - redis.call('SCARD', members(c.name)) end
  end
  return n
end

-- The open candidate with the fewest stores for its weight. One that no worker reaches comes after those that are reached.
local function place()
  local wished, best = {}, nil
  for _, name in ipairs(places.candidates) do wished[name] = true end
  for _, c in ipairs(places.clusters) do
    local n = stores_on(c.name)
    if wished[c.name] and not c.closed and (c.max == 0 or n < c.max) then
      local away, load = 1 - redis.call('EXISTS', '{orch}:up:' .. c.name), (n + 1) / c.weight
      if not best or away < best.away or (away == best.away and load < best.load) then
        best = { name = c.name, away = away, load = load }
      end
    end
  end
  return best and best.name
end

-- Redis has lost its data: until the records are rebuilt, a store that lives would look like one that does not.
if redis.call('EXISTS', KEYS[7]) == 0 then
  local missing = unsurveyed()
  if missing and not brought_back() then return { 'rebuilding', missing } end
end

if lives and places and places.named ~= '' and places.named ~= lives then return { gone(r) and 'retained' or 'changed', 'cluster' } end
if r.gen > 0 and not decided(r) and r.op == op and r.digest == digest then
  return { 'joined', text(r.gen), where(r, op) }
end
if op == 'provision' then
  if not gone(r) or r.retain then
    for _, field in ipairs({ 'engine', 'name', 'namespace' }) do
      if (r[field] or '') ~= '' and r[field] ~= want[field] then return { gone(r) and 'retained' or 'changed', field } end
    end
  end
  for i, field in ipairs({ 'host', 'namespace' }) do
    local owner = redis.call('HGET', KEYS[1 + i], want[field])
    if owner and owner ~= id then return { 'owned', field } end
  end
elseif retain == '1' and r.del > 0 and not r.retain then
  return { 'deleting' } -- with its data: nobody can take that back
end
local cluster = lives
if op == 'provision' and not lives then
  cluster = 'default'
  if places then cluster = place() end
  if not cluster then return { 'closed' } end
end

local gen = math.max(r.gen + 1, at)
redis.call('PERSIST', KEYS[1])
redis.call('PERSIST', KEYS[6])
redis.call('HSET', KEYS[1], 'gen', text(gen), 'op', op, 'digest', digest, 'accepted', text(at),
  'patience', ARGV[9], 'deadline', text(at + ARGV[9]))
redis.call('HDEL', KEYS[1], 'status', 'code', 'error', 'decided', 'parked')
if op == 'delete' then
  redis.call('HSET', KEYS[1], 'del', text(gen))
  if retain == '1' then redis.call('HSET', KEYS[1], 'retain', '1') else redis.call('HDEL', KEYS[1], 'retain') end
  if places and places.named ~= '' then
    r.search = places.named
  elseif places and not home(r) and not r.search then
    local names = {}
    for _, c in ipairs(places.clusters) do names[#names + 1] = c.name end
    r.search = table.concat(names, ' ')
  end
  if r.search then redis.call('HSET', KEYS[1], 'search', r.search) end
  if r.gen == 0 then redis.call('HSET', KEYS[1], 'request', request) end
else
  redis.call('HSET', KEYS[1], 'request', request, 'name', want.name, 'namespace', want.namespace, 'engine', want.engine, 'host', want.host)
  -- The old host stays ours until the shop has left it: another store must not share an ingress with it.
  local hosts = gone(r) and '' or (r.hosts or '')
  if not string.find(' ' .. hosts .. ' ', ' ' .. want.host .. ' ', 1, true) then hosts = hosts .. ' ' .. want.host end
  redis.call('HSET', KEYS[1], 'hosts', hosts)
  redis.call('HSET', KEYS[2], want.host, id)
  redis.call('HSET', KEYS[3], want.namespace, id)
  if places then
    redis.call('HSET', KEYS[1], 'cluster', cluster)
  elseif not lives then
    redis.call('HDEL', KEYS[1], 'cluster')
  end
  r.cluster = cluster
  join_cluster(cluster, id)
  if gone(r) then join_line(KEYS[1], id, ARGV[11], gen) end
end
redis.call('ZADD', KEYS[4], text(micros), id) -- no two stores share a score: pages end between scores
redis.call('ZADD', KEYS[5], at + 5000, id)
redis.call('PUBLISH', ARGV[10], id)
return { 'accepted', text(gen), where(r, op) }
