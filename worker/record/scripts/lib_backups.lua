-- When stores are backed up. A store is in the schedule from the pass over all stores that finds it so until it comes due while it is not.
local RESTORE_MS = 10800000 -- that a restore may take: provision.RestoreTimeout
local BACKUP_REQUEST_MS = 60000 -- until a backup that was asked for, and that something else came before, is handed out again
local BACKUP_SCHEDULED_MS = 600000 -- for how long it is known that a worker hands backups out
local BACKUP_SOON_MS = 600000 -- until the next try of a store that something else was to be done at

local function backed_up(engine) return '{orch}:backed-up:' .. (engine or 'other') end

-- Whether the shop's database runs, as far as the record says.
local function may_be_backed_up(r) return r.op == 'provision' and r.open_delete == 0 and has_outcome(r) and r.status == 'READY' end

-- When the last good backup began, in ms; nil where there is none.
local function last_backup(r) return r.backup and tonumber(r.backup_at) or nil end

-- The store's backups, the newest first, each as JSON.
local function backups_of(id) return '{orch}:store-backups:' .. id end

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

-- Makes a backup the store's last good one. It is the one that was asked for if it began after that, in whole seconds, as pods tell it. A store that is in no schedule
-- has none that could be overdue.
local function record_backup(key, id, engine, json, began, most)
  redis.call('HSET', key, 'backup', json, 'backup_at', began)
  keep_backup(id, json, most)
  redis.call('HDEL', key, 'backup_code', 'backup_error', 'backup_failed_since')
  redis.call('ZADD', backed_up(engine), 'XX', began, id)
  local asked = tonumber(redis.call('HGET', key, 'backup_requested_at') or '')
  if asked and tonumber(began) >= asked - asked % 1000 then forget_backup_request(id, key) end
end

local function forget_restore(key) redis.call('HDEL', key, 'restore', 'restore_generation', 'restore_before', 'restore_before_generation') end

-- Nothing of a shop that is gone concerns the next one of its id.
local function forget_backups(id, key)
  redis.call('HDEL', key, 'backup', 'backup_at', 'backup_code', 'backup_error', 'backup_failed_since')
  forget_restore(key)
  forget_backup_request(id, key)
  redis.call('DEL', backups_of(id))
end

local function forget_schedule(id, engine)
  redis.call('ZREM', '{orch}:backups', id)
  redis.call('ZREM', backed_up(engine), id)
end

-- Where in a period a store has its place: always the same, so that all are spread over it.
local function place_in_period(id, every) return tonumber(string.sub(redis.sha1hex(id), 1, 12), 16) % every end
