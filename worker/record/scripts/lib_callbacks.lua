-- All pending callbacks by the time since when they are to be delivered, for the metrics.
local PENDING_CALLBACKS = '{orch}:pending-callbacks'

local function pending_callback(callbacks, seq) return seq .. '.' .. string.sub(callbacks, #'{orch}:callbacks:' + 1) end

local function put_callback(callbacks, seq, json, at)
  redis.call('HSET', callbacks, seq, json)
  redis.call('ZADD', PENDING_CALLBACKS, text(at), pending_callback(callbacks, seq))
end

-- Answers whether it was there.
local function remove_callback(callbacks, seq)
  redis.call('ZREM', PENDING_CALLBACKS, pending_callback(callbacks, seq))
  return redis.call('HDEL', callbacks, seq) == 1
end

-- Takes the next sequence number and adds a callback to the pending ones. cluster is whose workers send it, by default those of the
-- cluster where the generation ran. Its trace is that of the request; of an older one the record does not know it any more.
local function add_callback(r, store, callbacks, at, gen, status, code, err, cluster)
  r.sequence = r.sequence + 1
  cluster = cluster or run_cluster(r, string.sub(status, 1, 6) == 'DELETE' and 'delete' or 'provision')
  redis.call('HSET', store, 'sequence', text(r.sequence))
  put_callback(callbacks, text(r.sequence), cjson.encode({
    generation = text(gen), sequence = text(r.sequence), cluster = cluster, status = status, code = code, error = err, at = text(at),
    trace = gen == r.generation and r.trace or nil }), at)
end

-- Whether a callback need not be delivered any more: progress when there is a later callback, a provision's outcome when there
-- is a newer generation or no store. A dead letter may also be replayed after the backend has confirmed a later callback:
-- delivered now, the older outcome would be the last that it heard.
local function obsolete(r, c)
  local gen, seq = tonumber(c.generation), tonumber(c.sequence)
  if seq < tonumber(r.delivered or 0) then return true end
  if c.status == 'PROVISIONING' or c.status == 'DELETING' then return seq < r.sequence or gen < r.generation or r.generation == 0 end
  return (c.status == 'READY' or c.status == 'SUSPENDED' or c.status == 'FAILED') and (gen < r.generation or r.generation == 0)
end

-- The sequence numbers of the pending callbacks, in order.
local function sequences(callbacks)
  local seqs = redis.call('HKEYS', callbacks)
  table.sort(seqs, function(a, b) return tonumber(a) < tonumber(b) end)
  return seqs
end
