-- KEYS: store, gate, calls, hosts, namespaces, open   ARGV: id, op, generation, token, status, code, error, limit per creator or 0, cluster, facts or ''
-- Answers {written|stands|superseded|lost, then id, generation and cluster of each provision that may begin now}, or {onward, then
-- those of the delete itself}: it has to look in another cluster.
local id, op, gen, token, status = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5]
local r, at = load(KEYS[1]), now()
local success = status == 'READY' or status == 'DELETED'

local function release_hosts(except)
  for host in string.gmatch(r.hosts or '', '%S+') do
    if host ~= except and redis.call('HGET', KEYS[4], host) == id then redis.call('HDEL', KEYS[4], host) end
  end
  redis.call('HSET', KEYS[1], 'hosts', except)
end

-- The provision that waited for this delete.
local function behind()
  if op == 'delete' and r.op == 'provision' and r.gen > gen and not decided(r) then return { id, text(r.gen), where(r, 'provision') } end
  return {}
end

local function answer(ruling, next) return { ruling, unpack(next) } end

local failed_again = op == 'delete' and status == 'DELETE_FAILED' and gen == r.undone

-- The answer may have been lost and the verdict be sent again.
if op == 'delete' and (gen <= r.deleted or (failed_again and r.del ~= gen)) then return answer('stands', behind()) end
if not wanted(r, op, gen) then return { 'superseded' } end
if redis.call('GET', KEYS[2]) ~= token then return { 'lost' } end
if op == 'delete' and r.search and status == 'DELETED' then
  local rest = string.match(r.search, '^%S+%s+(.+)$')
  if where(r, op) ~= ARGV[9] then return { 'onward', id, text(gen), where(r, op) } end -- said before, and the answer was lost
  if rest then
    redis.call('HSET', KEYS[1], 'search', rest)
    return { 'onward', id, text(gen), string.match(rest, '^%S+') }
  end
end
if failed_again then
  -- A failed delete was run again. There is no news to tell, but it has ended and blocks nobody any more.
  redis.call('HSET', KEYS[1], 'del', '0')
  return answer('stands', behind())
end
if op == 'provision' and decided(r) and (r.status == 'READY' or not success) then return { 'stands' } end

call(r, KEYS[1], KEYS[3], at, gen, status, ARGV[6], ARGV[7])
if r.gen == gen then
  redis.call('HSET', KEYS[1], 'vgen', text(gen), 'status', status, 'code', ARGV[6], 'error', ARGV[7], 'decided', text(at))
end
if status == 'READY' then
  release_hosts(r.host)
  if ARGV[10] ~= '' then redis.call('HSET', KEYS[1], 'facts', ARGV[10]) else redis.call('HDEL', KEYS[1], 'facts') end
end
local next = behind()
if op == 'delete' then redis.call('HSET', KEYS[1], 'del', '0', status == 'DELETED' and 'deleted' or 'undone', text(gen)) end
if op == 'delete' and r.search then
  redis.call('HDEL', KEYS[1], 'search')
  -- What is left of the store, or was, is here.
  if not home(r) then redis.call('HSET', KEYS[1], 'cluster', where(r, op)) end
end
if status == 'DELETED' then
  redis.call('HDEL', KEYS[1], 'facts')
  release_hosts(next[1] and r.host or '')
  local owns = redis.call('HGET', KEYS[5], r.namespace or '') == id
  if not owns then redis.call('HDEL', KEYS[1], 'retain') end -- nothing is known that it could have left
  if not next[1] and not (owns and r.retain) then leave_cluster(home(r), id) end
  if owns and not next[1] and not r.retain then redis.call('HDEL', KEYS[5], r.namespace) end
  -- From here on that provision is one of a new store.
  if next[1] then join_line(KEYS[1], id, cjson.decode(r.request).creator_id or '', r.gen) end
end
if op == 'provision' and r.line then
  leave_line(r, KEYS[1], id)
  woken(next, r.line, tonumber(ARGV[8]))
end
redis.call('ZADD', KEYS[6], at + 5000, id)
return answer('written', next)
