-- Shared by every script; each is sent as this text followed by its own.
-- Numbers are kept and returned as whole decimal text: Lua would write 1.7e+12.
local function text(n) return string.format('%.0f', n) end

-- Answers ms, and the same in microseconds.
local function now()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000), t[1] * 1000000 + t[2]
end

local function load(key)
  local flat, r = redis.call('HGETALL', key), {}
  for i = 1, #flat, 2 do r[flat[i]] = flat[i + 1] end
  for _, field in ipairs({ 'gen', 'del', 'deleted', 'vgen', 'undone', 'seq', 'accepted', 'patience', 'deadline', 'run_gen', 'pgen' }) do
    r[field] = tonumber(r[field] or 0)
  end
  return r
end

local function decided(r) return r.vgen == r.gen end

local function gone(r) return r.gen == 0 or (r.op == 'delete' and decided(r) and r.status == 'DELETED') end

-- Is the run of this generation still what the store needs? A delete is wanted until it has ended, whatever came after
-- it; a provision only while it is the newest.
local function wanted(r, op, gen)
  if op == 'delete' then return r.del == gen or (r.gen == gen and r.op == 'delete') end
  return r.gen == gen and r.op == 'provision'
end

-- The cluster that a store lives on, or lived on last; nil where nothing is known. Only installations that name clusters
-- write the field.
local function home(r)
  if r.cluster then return r.cluster end
  return (r.name or '') ~= '' and 'default' or nil
end

-- Where a run of this operation has to be. A delete of a store that nothing is known of goes from cluster to cluster:
-- `search` is where it still has to look, and the first of them is where it is.
local function where(r, op)
  return op == 'delete' and r.search and string.match(r.search, '^%S+') or home(r) or 'default'
end

-- The stores of a cluster. Those of the default one are all that the others have not: it may be older than its name.
local function members(cluster) return '{orch}:cluster:' .. cluster end

local function join_cluster(cluster, id)
  if cluster ~= 'default' then redis.call('SADD', members(cluster), id) end
end

local function leave_cluster(cluster, id)
  if cluster and cluster ~= 'default' then redis.call('SREM', members(cluster), id) end
end

-- Takes a lease, or extends the one that the token has. The holder counts from its last call.
local function take(key, token, ms)
  if redis.call('SET', key, token, 'NX', 'PX', ms) then return true end
  if redis.call('GET', key) ~= token then return false end
  redis.call('PEXPIRE', key, ms)
  return true
end

-- A creator's line: new stores from their acceptance to their first verdict. Those that have begun come first, with a
-- score below 0; the others stand behind them by generation. The first `limit` of it have a place.
local function line(creator) return '{orch}:line:' .. creator end

local function join_line(store, id, creator, gen)
  if creator == '' then return end
  redis.call('HSET', store, 'line', creator)
  redis.call('ZADD', line(creator), text(gen), id)
end

local function leave_line(r, store, id)
  redis.call('HDEL', store, 'line', 'parked')
  redis.call('ZREM', line(r.line), id)
end

local function has_place(r, id, limit)
  if not r.line or limit == 0 then return true end
  local key = line(r.line)
  redis.call('ZADD', key, 'NX', text(r.gen), id) -- somebody may have removed the line by hand
  return tonumber(redis.call('ZSCORE', key, id)) < 0 or redis.call('ZRANK', key, id) < limit
end

-- Appends id, generation and cluster of each store that was told to wait and has a place now. Who has begun waits for nothing.
local function woken(answer, creator, limit)
  local begun = redis.call('ZCOUNT', line(creator), '-inf', '(0')
  if limit == 0 or begun >= limit then return answer end
  for _, id in ipairs(redis.call('ZRANGE', line(creator), begun, limit - 1)) do
    local f = redis.call('HMGET', '{orch}:store:' .. id, 'parked', 'gen', 'cluster')
    if f[1] then
      answer[#answer + 1] = id
      answer[#answer + 1] = f[2]
      answer[#answer + 1] = f[3] or 'default'
    end
  end
  return answer
end

-- Takes the next sequence number and leaves a callback to be told.
local function call(r, store, calls, at, gen, status, code, err)
  r.seq = r.seq + 1
  local cluster = where(r, string.sub(status, 1, 6) == 'DELETE' and 'delete' or 'provision')
  redis.call('HSET', store, 'seq', text(r.seq))
  redis.call('HSET', calls, text(r.seq), cjson.encode({
    generation = text(gen), sequence = text(r.seq), cluster = cluster ~= 'default' and cluster or nil, status = status, code = code, error = err, at = text(at) }))
end

-- Does nobody want to hear this callback any more? Progress when there is something later, a provision's verdict when
-- there is a newer generation, or no store any more. A dead letter may also come back after the backend has confirmed a
-- later callback: told now, the older truth would stand.
local function stale(r, c)
  local gen, seq = tonumber(c.generation), tonumber(c.sequence)
  if seq < tonumber(r.told or 0) then return true end
  if c.status == 'PROVISIONING' or c.status == 'DELETING' then return seq < r.seq or gen < r.gen or r.gen == 0 end
  return (c.status == 'READY' or c.status == 'FAILED') and (gen < r.gen or r.gen == 0)
end
