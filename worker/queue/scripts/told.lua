-- KEYS: store, calls, open, dead, journal, letters
-- ARGV: id, sequence, callback id, dead letter or '', keep ms, keep letters ms, most letters
-- Closes one callback: told, or kept among the dead letters. A store with nothing left to decide or tell is closed.
local r, at, micros = load(KEYS[1]), now()

local function drop(ids)
  for _, letter in ipairs(ids) do
    redis.call('HDEL', KEYS[4], letter)
    redis.call('ZREM', KEYS[6], letter)
  end
end

local function bury()
  while redis.call('ZCOUNT', KEYS[6], text(micros), text(micros)) > 0 do micros = micros + 1 end -- pages end between scores
  redis.call('HSET', KEYS[4], ARGV[3], ARGV[4])
  redis.call('ZADD', KEYS[6], text(micros), ARGV[3])
  drop(redis.call('ZRANGEBYSCORE', KEYS[6], '-inf', text(micros - ARGV[6] * 1000), 'LIMIT', 0, 100))
  local over = redis.call('ZCARD', KEYS[6]) - ARGV[7]
  if over > 0 then drop(redis.call('ZRANGE', KEYS[6], 0, math.min(over, 100) - 1)) end
  if r.gen > 0 then redis.call('HSET', KEYS[1], 'refused', ARGV[3]) end
end

local function tell()
  if r.gen == 0 then return end -- the record has expired
  redis.call('HSET', KEYS[1], 'told', text(math.max(tonumber(r.told or 0), tonumber(ARGV[2]))))
  local refused = tonumber(string.match(r.refused or '', '^%d+%.(%d+)') or 0)
  if refused < tonumber(ARGV[2]) then redis.call('HDEL', KEYS[1], 'refused') end
end

-- What is closed already was told or dropped by somebody else.
if redis.call('HDEL', KEYS[2], ARGV[2]) == 1 then
  if ARGV[4] == '' then tell() else bury() end
end
if decided(r) and r.del == 0 and redis.call('EXISTS', KEYS[2]) == 0 then
  redis.call('ZREM', KEYS[3], ARGV[1])
  if r.status == 'DELETED' and not r.retain then -- retained data has an owner for as long as it is there
    redis.call('PEXPIRE', KEYS[1], ARGV[5])
    redis.call('PEXPIRE', KEYS[5], ARGV[5])
  end
end
return 1
