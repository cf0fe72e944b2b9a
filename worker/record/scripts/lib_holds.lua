-- A hold keeps the provisions of one engine on one cluster waiting, so that they do not fail one after the other for one cause that is the
-- installation's: its values, a chart, an admission rule, a registry or an image. Deletes never wait.
local HOLDS = '{orch}:holds'
local HOLD_CODES = { 'invalid', 'quota', 'image', 'blocked' }
local FAILURES_MS = 600000 -- how far apart the failures of one cause may be
local PROBE_MS = 60000 -- how often one run is let through to see whether the cause is gone

local function hold_field(cluster, engine) return cluster .. ':' .. engine end

local function failures(cluster, engine, code) return '{orch}:failures:' .. hold_field(cluster, engine) .. ':' .. code end

-- The stores that were told to wait, by when in ms.
local function waiting(cluster, engine) return '{orch}:waiting-stores:' .. hold_field(cluster, engine) end

local function load_hold(cluster, engine)
  local kept = redis.call('HGET', HOLDS, hold_field(cluster, engine))
  return kept and cjson.decode(kept)
end

local function save_hold(hold)
  redis.call('HSET', HOLDS, hold_field(hold.cluster, hold.engine), cjson.encode(hold))
end

local function start_waiting(r, store, id, at)
  redis.call('HSETNX', store, 'held_at', text(at))
  local key = waiting(run_cluster(r, 'provision'), r.engine)
  redis.call('ZADD', key, text(at), id)
  redis.call('PEXPIRE', key, FAILURES_MS)
end

-- Whether a run of the store has to wait. The first one that asks once a minute does not: it is the probe.
local function must_wait(r, at)
  local hold = load_hold(run_cluster(r, 'provision'), r.engine or '')
  if not hold then return false end
  if at < tonumber(hold.probe_at) then return true end
  hold.probe_at = text(at + PROBE_MS)
  save_hold(hold)
  return false
end

-- Counts a failure, by creators, so that one of them cannot keep the others waiting, or by stores where there is none. Answers whether the
-- store waits instead of being told that it has failed.
local function count_failure(r, id, at, code, err, limit)
  local counted = false
  for _, c in ipairs(HOLD_CODES) do counted = counted or c == code end
  if limit == 0 or not counted then return false end
  local cluster = run_cluster(r, 'provision')
  if load_hold(cluster, r.engine) then return true end
  local key, creator = failures(cluster, r.engine, code), cjson.decode(r.request).creator_id or ''
  redis.call('ZREMRANGEBYSCORE', key, '-inf', at - FAILURES_MS)
  redis.call('ZADD', key, text(at), creator ~= '' and 'creator ' .. creator or 'store ' .. id)
  redis.call('PEXPIRE', key, FAILURES_MS)
  if redis.call('ZCARD', key) < limit then return false end
  save_hold({ cluster = cluster, engine = r.engine, code = code, error = err, since = text(at), probe_at = text(at + PROBE_MS) })
  return true
end

-- Forgets the failures, and lets all go on. Answers whether there was a hold.
local function release_hold(cluster, engine, at)
  for _, code in ipairs(HOLD_CODES) do redis.call('DEL', failures(cluster, engine, code)) end
  if redis.call('HDEL', HOLDS, hold_field(cluster, engine)) == 0 then return false end
  local key = waiting(cluster, engine)
  for _, id in ipairs(redis.call('ZRANGE', key, 0, -1)) do
    if redis.call('HEXISTS', '{orch}:store:' .. id, 'held_at') == 1 then redis.call('ZADD', '{orch}:outstanding', at, id) end
  end
  redis.call('DEL', key)
  return true
end
