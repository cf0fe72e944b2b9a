-- KEYS: backups, backups-running, backup-pass, stores; or restore-tests, restore-tests-running, restore-test-pass, stores
-- ARGV: ms between two backups of a store, how many run at a time, ms after which one that has not ended is given up, how many stores to look at, the kind: backup or restore-test
-- Moves the pass on that puts stores into the schedule, and answers id, generation and cluster of those that are to be backed up now, or whose backup is to be tested. They
-- are due again a period later, whatever becomes of these.
local at, every, free, kind = now(), tonumber(ARGV[1]), tonumber(ARGV[2]), SCHEDULED[ARGV[5]]
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', at - ARGV[3])

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

free = free - redis.call('ZCARD', KEYS[2])
if free <= 0 then return {} end
local answer = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', at, 'LIMIT', 0, 10 * free)) do
  local r = load('{orch}:store:' .. id)
  if free > 0 and kind.may(r) then
    free = free - 1
    local next = redis.call('ZSCORE', KEYS[1], id) + every
    redis.call('ZADD', KEYS[1], next > at and next or at + every, id)
    redis.call('ZADD', KEYS[2], at, id)
    answer[#answer + 1] = id
    answer[#answer + 1] = text(r.generation)
    answer[#answer + 1] = run_cluster(r, 'provision')
  elseif gone(r) or r.suspended == '1' then
    forget_schedule(kind, KEYS[1], id, r.engine)
  elseif not kind.may(r) then
    redis.call('ZADD', KEYS[1], at + BACKUP_SOON_MS, id)
  end
end
return answer
