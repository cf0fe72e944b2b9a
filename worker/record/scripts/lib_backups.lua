-- When stores are backed up. A store is in the schedule from the pass over all stores that finds it so until it comes due while it is not.
local RESTORE_MS = 10800000 -- that a restore may take: provision.RestoreTimeout
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
  redis.call('DEL', backups_of(id))
end

local function forget_schedule(kind, schedule, id, engine)
  redis.call('ZREM', schedule, id)
  redis.call('ZREM', kind.index(engine), id)
end

-- Where in a period a store has its place: always the same, so that all are spread over it; and not that of its backups, which would be in the way each time.
local function place_in_period(kind, id, every) return tonumber(string.sub(redis.sha1hex(kind.salt .. id), 1, 12), 16) % every end
