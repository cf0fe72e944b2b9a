-- KEYS: store, run lease   ARGV: id, generation, token, edition, outdated (1 or 0), drift as JSON or ''
-- Records what an audit has found, while its lease holds. Answers recorded, superseded or lost.
local r = load(KEYS[1])
if redis.call('GET', KEYS[2]) ~= ARGV[3] then return 'lost' end
if not wanted(r, 'maintain', tonumber(ARGV[2])) then return 'superseded' end
redis.call('HSET', KEYS[1], 'audited_at', text(now()), 'edition', ARGV[4])
if ARGV[5] == '1' then redis.call('HSET', KEYS[1], 'outdated', '1') else redis.call('HDEL', KEYS[1], 'outdated') end
if ARGV[6] ~= '' then redis.call('HSET', KEYS[1], 'drifted', ARGV[6]) else redis.call('HDEL', KEYS[1], 'drifted') end
index_store(KEYS[1], ARGV[1])
return 'recorded'
