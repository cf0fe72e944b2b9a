-- KEYS: store, run lease, rollout:backups, backups-running
-- ARGV: id, generation, token, the backup as JSON or '', when it began in ms, how many backups of a store are kept
-- Ends the backup that comes before an upgrade, and records what was made while its lease holds: as the store's newest, and for another try of the upgrade. When the next
-- one by the clock is made stays as it is. Answers recorded, superseded, lost, or none where none was made.
local id, holder = ARGV[1], redis.call('GET', KEYS[2])
if not holder or holder == ARGV[3] then redis.call('ZREM', KEYS[4], backup_of_upgrade(id)) end
if ARGV[4] == '' then return 'none' end
if holder ~= ARGV[3] then return 'lost' end
local r = load(KEYS[1])
if not wanted(r, 'maintain', tonumber(ARGV[2])) then return 'superseded' end
record_backup(KEYS[1], id, r.engine, ARGV[4], ARGV[5], tonumber(ARGV[6]))
redis.call('HSET', KEYS[3], id, ARGV[2] .. ' ' .. text(now()) .. ' ' .. ARGV[4])
return 'recorded'
