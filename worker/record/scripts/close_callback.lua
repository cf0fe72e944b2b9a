-- KEYS: store, callbacks, outstanding, dead-letters, journal, dead-letter-times
-- ARGV: id, sequence, callback id, dead letter or '', keep ms, keep dead letters ms, most dead letters,
-- whether the backend does not know the store (1 or 0)
-- Closes one callback: delivered, or kept among the dead letters. A store with nothing outstanding leaves the sweeper's index.
local r, at, micros = load(KEYS[1]), now()

local function drop(ids)
  for _, letter in ipairs(ids) do
    redis.call('HDEL', KEYS[4], letter)
    redis.call('ZREM', KEYS[6], letter)
  end
end

local function keep_dead_letter()
  while redis.call('ZCOUNT', KEYS[6], text(micros), text(micros)) > 0 do micros = micros + 1 end -- pages end between scores
  redis.call('HSET', KEYS[4], ARGV[3], ARGV[4])
  redis.call('ZADD', KEYS[6], text(micros), ARGV[3])
  drop(redis.call('ZRANGEBYSCORE', KEYS[6], '-inf', text(micros - ARGV[6] * 1000), 'LIMIT', 0, 100))
  local over = redis.call('ZCARD', KEYS[6]) - ARGV[7]
  if over > 0 then drop(redis.call('ZRANGE', KEYS[6], 0, math.min(over, 100) - 1)) end
  if r.generation > 0 then redis.call('HSET', KEYS[1], 'dead_letter_id', ARGV[3]) end
  local newest = tonumber(string.match(ARGV[3], '^%d+')) == r.generation -- an older outcome says nothing of the store as it is now
  if r.generation > 0 and newest and ARGV[8] == '1' then redis.call('HSET', KEYS[1], 'forgotten', '1') end
end

local function mark_delivered()
  if r.generation == 0 then return end -- the record has expired
  redis.call('HSET', KEYS[1], 'delivered', text(math.max(tonumber(r.delivered or 0), tonumber(ARGV[2]))))
  local refused = tonumber(string.match(r.dead_letter_id or '', '^%d+%.(%d+)') or 0)
  if refused < tonumber(ARGV[2]) then redis.call('HDEL', KEYS[1], 'dead_letter_id', 'forgotten', 'contested_by') end
end

-- A callback that is closed already was delivered or dropped by another process.
local open = redis.call('HGET', KEYS[2], ARGV[2])
if open then
  remove_callback(KEYS[2], ARGV[2])
  if ARGV[4] == '' then mark_delivered() else keep_dead_letter() end
  index_store(KEYS[1], ARGV[1])
  local c = cjson.decode(open)
  if r.generation > 0 then tell_watchers(ARGV[1], { kind = ARGV[4] == '' and 'delivered' or 'refused', generation = c.generation, status = c.status, code = c.code }) end -- else the record has expired, and its journal with it
end
if has_outcome(r) and r.open_delete == 0 and redis.call('EXISTS', KEYS[2]) == 0 then
  redis.call('ZREM', KEYS[3], ARGV[1])
  if r.status == 'DELETED' and not r.retain_data then -- retained data keeps its owner
    redis.call('PEXPIRE', KEYS[1], ARGV[5])
    redis.call('PEXPIRE', KEYS[5], ARGV[5])
    redis.call('PEXPIRE', history(ARGV[1]), ARGV[5])
    redis.call('PEXPIRE', backups_of(ARGV[1]), ARGV[5])
  end
end
return 1
