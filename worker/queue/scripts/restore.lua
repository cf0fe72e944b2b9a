-- KEYS: store, hosts, namespaces, stores, open, calls
-- ARGV: id, op, generation, digest, request, name, namespace, engine, host, patience ms, status or '', code, error, told (1 or 0),
-- retain (1 or 0), cluster, facts or ''
-- Rebuilds a record from what the cluster remembers, where there is none or an older one.
-- Answers restored, known, elsewhere: the store lives on another cluster, or leftover: a delete that came later has ended, and
-- the namespace should not be there.
local id, op, gen, status, cluster = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[11], ARGV[16]
local r, at, micros = load(KEYS[1]), now()
local host = status ~= 'DELETED' and ARGV[9] or '' -- a deleted store that left its data has no address any more
if r.gen >= gen then
  if gone(r) then return not r.retain and r.deleted > gen and 'leftover' or 'known' end
  return (home(r) or cluster) ~= cluster and 'elsewhere' or 'known'
end

-- Sequences were lost too: what is told from now on must come after whatever the backend has heard, under new ids.
r.seq = math.max(r.seq, at)
redis.call('PERSIST', KEYS[1])
redis.call('HSET', KEYS[1], 'seq', text(r.seq), 'gen', text(gen), 'op', op, 'digest', ARGV[4], 'request', ARGV[5], 'name', ARGV[6], 'namespace', ARGV[7],
  'engine', ARGV[8], 'host', ARGV[9], 'hosts', host, 'accepted', text(at), 'patience', ARGV[10], 'deadline', text(at + ARGV[10]),
  'del', (op == 'delete' and status == '') and text(gen) or '0')
redis.call('HDEL', KEYS[1], 'status', 'code', 'error', 'decided', 'retain', 'search', 'facts')
if ARGV[15] == '1' then redis.call('HSET', KEYS[1], 'retain', '1') end
leave_cluster(r.cluster, id)
join_cluster(cluster, id)
r.cluster = cluster
if cluster == 'default' then redis.call('HDEL', KEYS[1], 'cluster') else redis.call('HSET', KEYS[1], 'cluster', cluster) end
if r.line then leave_line(r, KEYS[1], id) end -- what the cluster remembers has begun: it waits for no place
if host ~= '' then redis.call('HSETNX', KEYS[2], host, id) end
redis.call('HSETNX', KEYS[3], ARGV[7], id)
redis.call('ZADD', KEYS[4], text(micros), id)
if status ~= '' then
  redis.call('HSET', KEYS[1], 'vgen', text(gen), 'status', status, 'code', ARGV[12], 'error', ARGV[13], 'decided', text(at))
  if ARGV[17] ~= '' then redis.call('HSET', KEYS[1], 'facts', ARGV[17]) end
  if status == 'DELETED' then redis.call('HSET', KEYS[1], 'deleted', text(gen)) end
  if status == 'DELETE_FAILED' then redis.call('HSET', KEYS[1], 'undone', text(gen)) end
  if ARGV[14] ~= '1' then call(r, KEYS[1], KEYS[6], at, gen, status, ARGV[12], ARGV[13]) end
end
if status == '' or ARGV[14] ~= '1' then redis.call('ZADD', KEYS[5], at, id) end
return 'restored'
