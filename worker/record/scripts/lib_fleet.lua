-- Indexes of the fleet by what operators ask for, each in the order of the list of stores, and the names that a search begins with. A store
-- that is deleted is in none, unless its data is retained.
local function fleet(field, value) return '{orch}:fleet:' .. field .. ':' .. value end

local FLEET_NAMES = '{orch}:fleet-names'

-- What a store is found by now. The names are those of the search.
local function indexed_as(r, id, creator)
  if r.generation == 0 or (gone(r) and not r.retain_data) then return {} end
  local status = has_outcome(r) and r.status or (r.op == 'delete' and 'DELETING' or 'PROVISIONING')
  local group = status .. ':' .. (r.engine or 'other') .. ':' .. (cluster_of(r) or 'default') -- what the metrics count
  return { group = group, status = status, engine = r.engine, cluster = cluster_of(r) or 'default', creator = creator, code = has_outcome(r) and r.code or nil,
    id_is = string.lower(id), name_is = string.lower(r.name or ''), host_is = string.lower(r.host or '') }
end

local function index_fleet(r, store, id, creator)
  local now_as, before = indexed_as(r, id, creator), r.indexed and cjson.decode(r.indexed) or {}
  local score = redis.call('ZSCORE', '{orch}:stores', id)
  if now_as.status then now_as.at = score or nil end
  local moved = now_as.at ~= before.at
  local changed = moved
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
