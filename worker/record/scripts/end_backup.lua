-- KEYS: store, run lease, backups, backups-running
-- ARGV: id, generation, token, the backup as JSON or '', when it began in ms, code, error, ms until the next try, how many backups of a store are kept
-- Ends a backup that was handed out. What was made, or why it failed, is recorded while its lease holds; with neither, something else came first.
-- Answers recorded, superseded, lost, or none for the latter.
local r, at, id = load(KEYS[1]), now(), ARGV[1]
local function again(ms) if redis.call('ZSCORE', KEYS[3], id) then redis.call('ZADD', KEYS[3], at + ms, id) end end
local handed = tonumber(redis.call('ZSCORE', KEYS[4], id) or '') or at
redis.call('ZREM', KEYS[4], id)
local ours = redis.call('GET', KEYS[2]) == ARGV[3]
if (ARGV[4] == '' and ARGV[6] == '') or not ours or not wanted(r, 'maintain', tonumber(ARGV[2])) then
  again(BACKUP_SOON_MS)
  if ARGV[4] == '' and ARGV[6] == '' then return 'none' end
  return ours and 'superseded' or 'lost'
end
if ARGV[4] ~= '' then
  record_backup(KEYS[1], id, r.engine, ARGV[4], ARGV[5], tonumber(ARGV[9]))
else
  redis.call('HSET', KEYS[1], 'backup_code', ARGV[6], 'backup_error', ARGV[7])
  redis.call('HSETNX', KEYS[1], 'backup_failed_since', text(at))
  again(tonumber(ARGV[8]))
  if handed >= tonumber(r.backup_requested_at or 0) then forget_backup_request(id, KEYS[1]) end -- else one is asked for that begins later
end
return 'recorded'
