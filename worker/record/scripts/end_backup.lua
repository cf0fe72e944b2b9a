-- KEYS: store, run lease, backups, backups-running; or the latter of restore tests
-- ARGV: id, generation, token, the backup or the test as JSON or '', when the backup began or the test had passed in ms, code, error, ms until the next try,
-- how many backups of a store are kept, the kind: backup or restore-test
-- Ends a backup or a restore test that was handed out. What was made, or why it failed, is recorded while its lease holds; with neither, something else came first.
-- Answers recorded, superseded, lost, or none for the latter.
local r, at, id, kind = load(KEYS[1]), now(), ARGV[1], SCHEDULED[ARGV[10]]
local field, retry = kind.field, tonumber(ARGV[8])
local function again(ms) if redis.call('ZSCORE', KEYS[3], id) then redis.call('ZADD', KEYS[3], at + ms, id) end end
local handed = tonumber(redis.call('ZSCORE', KEYS[4], id) or '') or at
redis.call('ZREM', KEYS[4], id)
local ours = redis.call('GET', KEYS[2]) == ARGV[3]
if (ARGV[4] == '' and ARGV[6] == '') or not ours or not wanted(r, 'maintain', tonumber(ARGV[2])) then
  again(retry > 0 and math.min(retry, BACKUP_SOON_MS) or BACKUP_SOON_MS)
  if ARGV[4] == '' and ARGV[6] == '' then return 'none' end
  return ours and 'superseded' or 'lost'
end
if ARGV[4] ~= '' and field == 'backup' then
  record_backup(KEYS[1], id, r.engine, ARGV[4], ARGV[5], tonumber(ARGV[9]))
elseif ARGV[4] ~= '' then
  record_good(kind, KEYS[1], id, r.engine, ARGV[4], ARGV[5])
else
  redis.call('HSET', KEYS[1], field .. '_code', ARGV[6], field .. '_error', ARGV[7])
  redis.call('HSETNX', KEYS[1], field .. '_failed_since', text(at))
  again(retry)
  -- Else one is asked for that begins later.
  if field == 'backup' and handed >= tonumber(r.backup_requested_at or 0) then forget_backup_request(id, KEYS[1]) end
end
return 'recorded'
