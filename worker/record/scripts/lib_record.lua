-- The files lib_*.lua are sent before each script, in the order record, placement, creator_queue, callbacks, fleet, orphans,
-- holds, rollout, heal, graves, lost_clusters, end_lost_store, backups.

-- Numbers are kept and returned as whole decimal text: Lua would write 1.7e+12.
local function text(n) return string.format('%.0f', n) end

-- Answers ms, and the same in microseconds.
local function now()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000), t[1] * 1000000 + t[2]
end

-- How soon the sweeper inspects a store that has just changed, in ms.
local FIRST_SWEEP_MS = 5000

-- How many hosts a store may own: the newest, and those that its runs may have put into the cluster.
local MAX_HOSTS = 20

local function has_word(words, word) return string.find(' ' .. words .. ' ', ' ' .. word .. ' ', 1, true) ~= nil end

local function count_words(words)
  local n = 0
  for _ in string.gmatch(words, '%S+') do n = n + 1 end
  return n
end

-- Frees the hosts of a store but those to be kept; both are words.
local function free_hosts(key, id, owned, keep)
  for host in string.gmatch(owned or '', '%S+') do
    if not has_word(keep, host) and redis.call('HGET', key, host) == id then redis.call('HDEL', key, host) end
  end
end

-- The record as a table: numbers for generations and times, text or nil for the rest.
local function load(key)
  local flat, r = redis.call('HGETALL', key), {}
  for i = 1, #flat, 2 do r[flat[i]] = flat[i + 1] end
  for _, field in ipairs({ 'generation', 'open_delete', 'deleted_generation', 'outcome_generation', 'delete_failed_generation', 'sequence',
    'accepted_at', 'timeout_ms', 'deadline', 'run_generation', 'progress_generation', 'held_ms' }) do
    r[field] = tonumber(r[field] or 0)
  end
  return r
end

local function has_outcome(r) return r.outcome_generation == r.generation end

-- Whether a provision has ended as it was to end.
local function succeeded(r) return r.status == 'READY' or r.status == 'SUSPENDED' end

local function gone(r) return r.generation == 0 or (r.op == 'delete' and has_outcome(r) and r.status == 'DELETED') end

-- Whether the store still needs a run of this generation: a delete until it has ended, whatever was accepted after it; a
-- provision while it is the newest request. Maintenance may go on as long as nothing was asked for since that has succeeded.
local function wanted(r, op, gen)
  if op == 'delete' then return r.open_delete == gen or (r.generation == gen and r.op == 'delete') end
  if op == 'maintain' then return r.generation == gen and r.op == 'provision' and has_outcome(r) and succeeded(r) and r.open_delete == 0 end
  return r.generation == gen and r.op == 'provision'
end

-- Takes a lease, or extends the one that the token has. The holder counts from its last call.
local function take_lease(key, token, ms)
  if redis.call('SET', key, token, 'NX', 'PX', ms) then return true end
  if redis.call('GET', key) ~= token then return false end
  redis.call('PEXPIRE', key, ms)
  return true
end

-- Takes back a rotation that a generation has asked for.
local function forget_rotation(r, key, generation)
  if not generation or r.rotation ~= generation then return end
  if (r.rotation_before or '') ~= '' then redis.call('HSET', key, 'rotation', r.rotation_before) else redis.call('HDEL', key, 'rotation') end
  redis.call('HDEL', key, 'rotation_before')
end
