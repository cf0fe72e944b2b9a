-- When stores are backed up. A store is in the schedule from the pass over all stores that finds it so until it comes due while it is not.
local RESTORE_MS = 10800000 -- that a restore may take: provision.RestoreTimeout
local BACKUP_REQUEST_MS = 60000 -- until a backup that was asked for, and that something else came before, is handed out again
local BACKUP_SCHEDULED_MS = 600000 -- for how long it is known that a worker hands backups out
local BACKUP_SOON_MS = 600000 -- until the next try of a store that something else was to be done at, at most

local function restore_tested(engine) return '{orch}:restore-tested:' .. (engine or 'other') end
local function backed_up(engine) return '{orch}:backed-up:' .. (engine or 'other') end

-- Whether the shop's database runs, as far as the record says.
local function may_be_backed_up(r) return r.op == 'provision' and r.open_delete == 0 and has_outcome(r) and r.status == 'READY' end

-- The store's backups, the newest first, each as JSON.
local function backups_of(id) return '{orch}:store-backups:' .. id end

-- What a kind of maintenance that has a schedule does: the field of the record with what was made, which also begins the names of others; the index of an
-- engine's stores by how old that is; and whether it may be done now.
local SCHEDULED = {
  backup = { field = 'backup', salt = '', index = backed_up, may = may_be_backed_up },
  ['restore-test'] = { field = 'restore_test', salt = 'restore-test ', index = restore_tested, may = function(r) return may_be_backed_up(r) and r.backup ~= nil end },
}

-- When the last good one was, in ms; nil where there is none.
local function last_good(kind, r) return r[kind.field] and tonumber(r[kind.field .. '_at']) or nil end

local function keep_backup(id, json, most)
  redis.call('LREM', backups_of(id), 0, json) -- the answer was lost
  redis.call('LPUSH', backups_of(id), json)
  redis.call('LTRIM', backups_of(id), 0, most - 1)
end

-- What counts among the backups that run for the one before a store's upgrade: no store has such an id.
local function backup_of_upgrade(id) return 'upgrade:' .. id end

local function is_backed_up_now(running, id)
  return redis.call('ZSCORE', running, id) or redis.call('ZSCORE', running, backup_of_upgrade(id))
end

local function forget_backup_request(id, key)
  redis.call('ZREM', '{orch}:backup-requests', id)
  redis.call('HDEL', key, 'backup_requested_at')
end

-- What was made is the last good one. A store that is in no schedule has none that could be overdue.
local function record_good(kind, key, id, engine, json, at)
  local f = kind.field
  redis.call('HSET', key, f, json, f .. '_at', at)
  redis.call('HDEL', key, f .. '_code', f .. '_error', f .. '_failed_since')
  redis.call('ZADD', kind.index(engine), 'XX', at, id)
end

-- Makes a backup the store's last good one. It is the one that was asked for if it began after that, in whole seconds, as pods tell it.
local function record_backup(key, id, engine, json, began, most)
  record_good(SCHEDULED.backup, key, id, engine, json, began)
  keep_backup(id, json, most)
  local asked = tonumber(redis.call('HGET', key, 'backup_requested_at') or '')
  if asked and tonumber(began) >= asked - asked % 1000 then forget_backup_request(id, key) end
end

local function forget_restore(key) redis.call('HDEL', key, 'restore', 'restore_generation', 'restore_before', 'restore_before_generation') end

local function forget_scheduled(key)
  for _, kind in pairs(SCHEDULED) do
    local f = kind.field
    redis.call('HDEL', key, f, f .. '_at', f .. '_code', f .. '_error', f .. '_failed_since')
  end
end

-- Nothing of a shop that is gone concerns the next one of its id.
local function forget_backups(id, key)
  forget_scheduled(key)
  forget_restore(key)
  forget_backup_request(id, key)
  redis.call('DEL', backups_of(id))
end

local function forget_schedule(kind, schedule, id, engine)
  redis.call('ZREM', schedule, id)
  redis.call('ZREM', kind.index(engine), id)
end

-- Where in a period a store has its place: always the same, so that all are spread over it; and not that of its backups, which would be in the way each time.
local function place_in_period(kind, id, every) return tonumber(string.sub(redis.sha1hex(kind.salt .. id), 1, 12), 16) % every end
