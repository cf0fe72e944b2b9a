-- KEYS: store, run lease   ARGV: token, counted (1 or 0), ended (1 or 0), ms until the next run or 0
-- Answers the counted attempts so far.
if redis.call('GET', KEYS[2]) == ARGV[1] then redis.call('DEL', KEYS[2]) end
if redis.call('HGET', KEYS[1], 'run_token') ~= ARGV[1] then return tonumber(redis.call('HGET', KEYS[1], 'attempts') or 0) end
redis.call('HSET', KEYS[1], 'run_token', ARGV[3] == '1' and 'ended' or '')
if ARGV[4] ~= '0' then redis.call('HSET', KEYS[1], 'next_run_at', text(now() + tonumber(ARGV[4]))) end
return redis.call('HINCRBY', KEYS[1], 'attempts', ARGV[2])
