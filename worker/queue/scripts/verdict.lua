-- KEYS: store, gate, calls, hosts, namespaces, open   ARGV: id, op, generation, token, status, code, error
-- Answers {written|stands|superseded|lost, generation that may begin now or 0}.
local id, op, gen, token, status = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5]
local r, at = load(KEYS[1]), now()
local success = status == 'READY' or status == 'DELETED'

local function release_hosts(except)
  for host in string.gmatch(r.hosts or '', '%S+') do
    if host ~= except and redis.call('HGET', KEYS[4], host) == id then redis.call('HDEL', KEYS[4], host) end
  end
  redis.call('HSET', KEYS[1], 'hosts', except)
end

if op == 'delete' and gen <= r.deleted then return { 'stands', '0' } end
if not wanted(r, op, gen) then return { 'superseded', '0' } end
if redis.call('GET', KEYS[2]) ~= token then return { 'lost', '0' } end
if r.gen == gen and decided(r) and (r.status == 'READY' or r.status == 'DELETED' or not success) then return { 'stands', '0' } end

call(r, KEYS[1], KEYS[3], at, gen, status, ARGV[6], ARGV[7])
if r.gen == gen then
  redis.call('HSET', KEYS[1], 'vgen', text(gen), 'status', status, 'code', ARGV[6], 'error', ARGV[7], 'decided', text(at))
end
if status == 'READY' then release_hosts(r.host) end
local next = 0
if op == 'delete' then
  redis.call('HSET', KEYS[1], 'del', '0')
  if r.gen ~= gen then next = r.gen end
end
if status == 'DELETED' then
  redis.call('HSET', KEYS[1], 'deleted', text(gen))
  release_hosts(next > 0 and r.host or '')
  if next == 0 and redis.call('HGET', KEYS[5], r.namespace or '') == id then redis.call('HDEL', KEYS[5], r.namespace) end
end
redis.call('ZADD', KEYS[6], at + 5000, id)
return { 'written', text(next) }
