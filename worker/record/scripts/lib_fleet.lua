-- Indexes of the fleet by what operators ask for, each in the order of the list of stores, and the names that a search begins with. A store
-- that is deleted is in none, unless its data is retained.
local function fleet(field, value) return '{orch}:fleet:' .. field .. ':' .. value end

local FLEET_NAMES = '{orch}:fleet-names'

local HISTORY_KEPT = 20 -- generations of a store

local function history(id) return '{orch}:history:' .. id end

-- Says to those who watch what has happened to a store: in its journal, and among the events of all stores.
local function tell_watchers(id, event)
  event.store_id = id
  local json = cjson.encode(event)
  redis.call('XADD', '{orch}:journal:' .. id, 'MAXLEN', '~', 100, '*', 'event', json)
  redis.call('XADD', '{orch}:events', 'MAXLEN', '~', 20000, '*', 'event', json)
end

-- Keeps how a generation stands, in the place of what was kept of it before, and tells it where kind says what it is. Only shown.
local function remember(r, id, gen, op, kind, status, code, err, at)
  local known = redis.call('HGET', history(id), text(gen))
  local entry = known and cjson.decode(known) or { accepted_at = text(r.accepted_at) }
  entry.generation, entry.op, entry.status, entry.code, entry.error, entry.decided_at = text(gen), op, status, code, err, at
  if r.generation == gen then entry.requested_by, entry.request_id = r.requested_by, r.request_id end
  redis.call('HSET', history(id), text(gen), cjson.encode(entry))
  if not known and redis.call('HLEN', history(id)) > HISTORY_KEPT then
    local gens = redis.call('HKEYS', history(id))
    table.sort(gens, function(a, b) return tonumber(a) < tonumber(b) end)
    redis.call('HDEL', history(id), gens[1])
  end
  if kind then tell_watchers(id, { kind = kind, generation = text(gen), op = op, status = status, code = code, error = err, by = entry.requested_by }) end
end

-- Remembers the newest generation where it has changed since the store was indexed. old: it is no news.
local function remember_newest(r, id, now_as, before, old)
  if not now_as.status and not before.status then return end -- it is gone, and was
  local status = now_as.status or r.status
  if before.generation == now_as.generation and before.status == status and before.code == now_as.code then return end
  -- A record of a version without history has changed long ago.
  local news = not old and (before.generation or not before.status or before.status ~= status)
  if not has_outcome(r) then return remember(r, id, r.generation, r.op, news and 'accepted', status) end
  remember(r, id, r.generation, r.op, news and 'outcome', status, r.code, r.error, r.decided_at)
end

-- What a store is found by now. The names are those of the search.
local function indexed_as(r, id, creator)
  if r.generation == 0 or (gone(r) and not r.retain_data) then return {} end
  local status = has_outcome(r) and r.status or (r.op == 'delete' and 'DELETING' or 'PROVISIONING')
  local group = status .. ':' .. (r.engine or 'other') .. ':' .. (cluster_of(r) or 'default') -- what the metrics count
  return { group = group, status = status, engine = r.engine, cluster = cluster_of(r) or 'default', creator = creator, code = has_outcome(r) and r.code or nil, generation = text(r.generation),
    id_is = string.lower(id), name_is = string.lower(r.name or ''), host_is = string.lower(r.host or '') }
end

local function index_fleet(r, store, id, creator, old)
  local now_as, before = indexed_as(r, id, creator), r.indexed and cjson.decode(r.indexed) or {}
  local score = redis.call('ZSCORE', '{orch}:stores', id)
  if now_as.status then now_as.at = score or nil end
  remember_newest(r, id, now_as, before, old)
  local moved = now_as.at ~= before.at
  local changed = moved or now_as.generation ~= before.generation
  for _, field in ipairs({ 'group', 'status', 'engine', 'cluster', 'creator', 'code' }) do
    local value, was = now_as[field] or '', before[field] or ''
    if was ~= '' and was ~= value then redis.call('ZREM', fleet(field, was), id) end
    if value ~= '' and score and (moved or value ~= was) then redis.call('ZADD', fleet(field, value), score, id) end
    changed = changed or value ~= was
  end
  for _, field in ipairs({ 'id_is', 'name_is', 'host_is' }) do
    local value, was = now_as[field] or '', before[field] or ''
    if was ~= '' and was ~= value then redis.call('ZREM', FLEET_NAMES, was .. '\0' .. field .. '\0' .. id) end
    if value ~= '' and value ~= was then redis.call('ZADD', FLEET_NAMES, 0, value .. '\0' .. field .. '\0' .. id) end
    changed = changed or value ~= was
  end
  if changed and next(now_as) then
    redis.call('HSET', store, 'indexed', cjson.encode(now_as))
  elseif changed then
    redis.call('HDEL', store, 'indexed')
  end
end
