-- An orphan is a store that may no longer be wanted, but that costs money or holds a host. It is of one kind:
-- forgotten: the backend does not know the store: it refused its last outcome that way
-- contested: another store was refused because of a host or namespace that this one owns
-- retained: the store is deleted, its data is not
-- failed: the store was never READY, and its last request has failed
local ORPHAN_KINDS = { 'forgotten', 'contested', 'retained', 'failed' }

local function orphans(kind) return '{orch}:orphans:' .. kind end

local function orphan_kind(r)
  if gone(r) then return r.generation > 0 and r.retain_data and 'retained' or nil end
  if r.forgotten then return 'forgotten' end
  if r.contested_by then return 'contested' end
  if r.op == 'provision' and has_outcome(r) and r.status == 'FAILED' and not r.ready_generation then return 'failed' end
end

-- A store of which was found, of one kind or several:
-- drifted: its objects are not as its release says
-- outdated: it has another edition than a new store would get
-- unwell: pods of it are not available, and have not been for minutes
local FINDINGS = { 'drifted', 'outdated', 'unwell' }

local function findings(kind) return '{orch}:findings:' .. kind end

-- The stores of a creator that are not gone; one whose data is retained counts.
local function creator_stores(creator) return '{orch}:creator-stores:' .. creator end

local function count_for_creator(r, store, id)
  local known, request = pcall(cjson.decode, r.request or '')
  local creator = known and type(request) == 'table' and request.creator_id or ''
  if creator == '' or (gone(r) and not r.retain_data) then creator = nil end
  if r.counted_for and r.counted_for ~= creator then redis.call('SREM', creator_stores(r.counted_for), id) end
  if creator then
    redis.call('SADD', creator_stores(creator), id)
    redis.call('HSET', store, 'counted_for', creator)
  elseif r.counted_for then
    redis.call('HDEL', store, 'counted_for')
  end
  return creator
end

-- Puts a store into the indexes that its record, as it is now, belongs to. It stays where it is, and as old as it is, while its
-- kind is the same. old: that the store is as it is has been told long ago.
local function index_store(store, id, old)
  local r = load(store)
  local kind, _, micros = orphan_kind(r), now()
  index_fleet(r, store, id, count_for_creator(r, store, id), old)
  for _, k in ipairs(FINDINGS) do
    if r[k] and not gone(r) then
      if not redis.call('ZSCORE', findings(k), id) then
        local at = micros
        while redis.call('ZCOUNT', findings(k), text(at), text(at)) > 0 do at = at + 1 end
        redis.call('ZADD', findings(k), text(at), id)
      end
    else
      redis.call('ZREM', findings(k), id)
    end
  end
  for _, k in ipairs(ORPHAN_KINDS) do
    if k ~= kind then redis.call('ZREM', orphans(k), id) end
  end
  if not kind or redis.call('ZSCORE', orphans(kind), id) then return end
  while redis.call('ZCOUNT', orphans(kind), text(micros), text(micros)) > 0 do micros = micros + 1 end -- pages end between scores
  redis.call('ZADD', orphans(kind), text(micros), id)
end
