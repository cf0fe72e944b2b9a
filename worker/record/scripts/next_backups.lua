-- KEYS: backups, backups-running, backup-pass, stores, backup-requests, backups-scheduled; or restore-tests, restore-tests-running, restore-test-pass, stores
-- ARGV: ms between two backups of a store or 0, how many run at a time, ms after which one that has not ended is given up, how many stores to look at, the kind: backup or restore-test
-- Moves the pass on that puts stores into the schedule, and answers id, generation and cluster of those that are to be backed up now, or whose backup is to be tested: first those
-- that were asked for, then those that the clock comes to, which are due again a period later, whatever becomes of these.
local at, every, free, kind = now(), tonumber(ARGV[1]), tonumber(ARGV[2]), SCHEDULED[ARGV[5]]
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', at - ARGV[3])

if every > 0 then
  local position, n = redis.call('GET', KEYS[3]) or '', tonumber(ARGV[4])
  local rows = redis.call('ZRANGEBYSCORE', KEYS[4], position == '' and '-inf' or '(' .. position, '+inf', 'WITHSCORES', 'LIMIT', 0, n)
  redis.call('SET', KEYS[3], #rows < 2 * n and '' or text(tonumber(rows[#rows])))
  for i = 1, #rows, 2 do
    local id = rows[i]
    if not redis.call('ZSCORE', KEYS[1], id) then
      local r = load('{orch}:store:' .. id)
      if kind.may(r) then
        redis.call('ZADD', KEYS[1], at + place_in_period(kind, id, every), id)
        redis.call('ZADD', kind.index(r.engine), 'NX', last_good(kind, r) or at, id)
      end
    end
  end
end

if KEYS[6] then redis.call('SET', KEYS[6], text(at), 'PX', BACKUP_SCHEDULED_MS) end
local running = redis.call('ZCARD', KEYS[2])
free = free - running
if free <= 0 then return {} end
local answer = {}
local function hand_out(id, r)
  free = free - 1
  redis.call('ZADD', KEYS[2], at, id)
  answer[#answer + 1] = id
  answer[#answer + 1] = text(r.generation)
  answer[#answer + 1] = run_cluster(r, 'provision')
end

for _, id in ipairs(KEYS[5] and redis.call('ZRANGEBYSCORE', KEYS[5], '-inf', at, 'LIMIT', 0, running + 10 * free) or {}) do
  local r = load('{orch}:store:' .. id)
  if not r.backup_requested_at or r.suspended == '1' or (has_outcome(r) and not may_be_backed_up(r)) then
    forget_backup_request(id, '{orch}:store:' .. id)
  elseif may_be_backed_up(r) and is_backed_up_now(KEYS[2], id) then -- that one may have begun too early: its end says so
  elseif not may_be_backed_up(r) then
    redis.call('ZADD', KEYS[5], at + BACKUP_REQUEST_MS, id)
  elseif free > 0 then
    redis.call('ZADD', KEYS[5], at + BACKUP_REQUEST_MS, id)
    hand_out(id, r)
  end
end

if every == 0 then return answer end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', at, 'LIMIT', 0, 10 * free)) do
  local r = load('{orch}:store:' .. id)
  if free > 0 and kind.may(r) then
    local next = redis.call('ZSCORE', KEYS[1], id) + every
    redis.call('ZADD', KEYS[1], next > at and next or at + every, id)
    if not is_backed_up_now(KEYS[2], id) then hand_out(id, r) end
  elseif gone(r) or r.suspended == '1' then
    forget_schedule(kind, KEYS[1], id, r.engine)
  elseif not kind.may(r) then
    redis.call('ZADD', KEYS[1], at + BACKUP_SOON_MS, id)
  end
end
return answer
