-- KEYS: store, hosts, namespaces, stores, open, journal, marker   ARGV: id, op, digest, request, name, namespace, engine, host, patience ms, channel, creator, retain (1 or 0)
-- Answers {accepted|joined, generation} or {changed|retained, field} or {owned, field} or {rebuilding} or {deleting}.
local id, op, digest, request, retain = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[12]
local want = { name = ARGV[5], namespace = ARGV[6], engine = ARGV[7], host = ARGV[8] }
local r, at, micros = load(KEYS[1]), now()

-- Redis has lost its data: until the records are rebuilt, a store that lives would look like one that does not.
if redis.call('EXISTS', KEYS[7]) == 0 then return { 'rebuilding' } end

if r.gen > 0 and not decided(r) and r.op == op and r.digest == digest then
  return { 'joined', text(r.gen) }
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

local gen = math.max(r.gen + 1, at)
redis.call('PERSIST', KEYS[1])
redis.call('PERSIST', KEYS[6])
redis.call('HSET', KEYS[1], 'gen', text(gen), 'op', op, 'digest', digest, 'accepted', text(at),
  'patience', ARGV[9], 'deadline', text(at + ARGV[9]))
redis.call('HDEL', KEYS[1], 'status', 'code', 'error', 'decided', 'parked')
if op == 'delete' then
  redis.call('HSET', KEYS[1], 'del', text(gen))
  if retain == '1' then redis.call('HSET', KEYS[1], 'retain', '1') else redis.call('HDEL', KEYS[1], 'retain') end
  if r.gen == 0 then redis.call('HSET', KEYS[1], 'request', request) end
else
  redis.call('HSET', KEYS[1], 'request', request, 'name', want.name, 'namespace', want.namespace, 'engine', want.engine, 'host', want.host)
  -- The old host stays ours until the shop has left it: another store must not share an ingress with it.
  local hosts = gone(r) and '' or (r.hosts or '')
  if not string.find(' ' .. hosts .. ' ', ' ' .. want.host .. ' ', 1, true) then hosts = hosts .. ' ' .. want.host end
  redis.call('HSET', KEYS[1], 'hosts', hosts)
  redis.call('HSET', KEYS[2], want.host, id)
  redis.call('HSET', KEYS[3], want.namespace, id)
  if gone(r) then join_line(KEYS[1], id, ARGV[11], gen) end
end
redis.call('ZADD', KEYS[4], text(micros), id) -- no two stores share a score: pages end between scores
redis.call('ZADD', KEYS[5], at + 5000, id)
redis.call('PUBLISH', ARGV[10], id)
return { 'accepted', text(gen) }
