-- KEYS: store, backup-requests, backups-running, backups-scheduled   ARGV: id, the generation that has to be the newest or ''
-- Asks for a backup of a store that begins from now on. Asked for again before it is handed out, it is the same one. Answers {asked, since when in ms} or why not:
-- {no-record}, {overtaken, generation}, {gone}, {deleting}, {suspended}, {failed}, {busy}, or {unscheduled} where no worker makes backups.
local r, at, id = load(KEYS[1]), now(), ARGV[1]
if r.generation == 0 then return { 'no-record' } end
if ARGV[2] ~= '' and ARGV[2] ~= text(r.generation) then return { 'overtaken', text(r.generation) } end
if gone(r) then return { 'gone' } end
if r.op == 'delete' or r.open_delete ~= 0 then return { 'deleting' } end
if r.suspended == '1' then return { 'suspended' } end
if not may_be_backed_up(r) then return { has_outcome(r) and 'failed' or 'busy' } end
if redis.call('EXISTS', KEYS[4]) == 0 then return { 'unscheduled' } end
local asked, runs = r.backup_requested_at, is_backed_up_now(KEYS[3], id)
if not asked or runs then asked = text(at) end
redis.call('HSET', KEYS[1], 'backup_requested_at', asked)
if runs or not redis.call('ZSCORE', KEYS[2], id) then redis.call('ZADD', KEYS[2], at, id) end
return { 'asked', asked }
