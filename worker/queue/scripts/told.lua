-- KEYS: store, calls, open, dead, journal   ARGV: id, sequence, callback id, dead letter or '', keep ms
-- Closes one callback: told, or kept among the dead letters. A store with nothing left to decide or tell is closed.
if ARGV[4] ~= '' then redis.call('HSET', KEYS[4], ARGV[3], ARGV[4]) end
if redis.call('HDEL', KEYS[2], ARGV[2]) == 1 then redis.call('HSET', KEYS[1], 'told', ARGV[2]) end
local r = load(KEYS[1])
if decided(r) and r.del == 0 and redis.call('EXISTS', KEYS[2]) == 0 then
  redis.call('ZREM', KEYS[3], ARGV[1])
  if r.status == 'DELETED' then
    redis.call('PEXPIRE', KEYS[1], ARGV[5])
    redis.call('PEXPIRE', KEYS[5], ARGV[5])
  end
end
return 1
