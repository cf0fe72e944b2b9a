-- KEYS: store, run lease, rollout   ARGV: id, generation, token, done, failed or refused, edition, outdated (1 or 0), error
-- Records how the upgrade of a store has ended, while its lease holds. A refusal pauses the rollout and leaves the store in it. Answers recorded, lost or superseded.
if redis.call('GET', KEYS[2]) ~= ARGV[3] then return 'lost' end
local r = load(KEYS[1])
if not wanted(r, 'maintain', tonumber(ARGV[2])) then return 'superseded' end
if ARGV[5] ~= '' then redis.call('HSET', KEYS[1], 'edition', ARGV[5]) end
if ARGV[6] == '1' then redis.call('HSET', KEYS[1], 'outdated', '1') else redis.call('HDEL', KEYS[1], 'outdated') end
index_store(KEYS[1], ARGV[1])
if redis.call('ZREM', rollout_key('doing'), ARGV[1]) == 0 then return 'recorded' end
if ARGV[4] == 'refused' then
  redis.call('ZADD', rollout_key('todo'), -1, ARGV[1])
  if redis.call('HGET', KEYS[3], 'state') == 'running' then pause_rollout(ARGV[7]) end
  return 'recorded'
end
redis.call('HDEL', rollout_key('backups'), ARGV[1])
redis.call('SADD', rollout_key(ARGV[4]), ARGV[1])
if ARGV[4] == 'failed' then redis.call('HSET', rollout_key('errors'), ARGV[1], ARGV[7]) end
return 'recorded'
