-- KEYS: store, run lease   ARGV: op, generation, token, lease ms      Answers renewed, superseded or lost.
if redis.call('GET', KEYS[2]) ~= ARGV[3] then return 'lost' end
redis.call('PEXPIRE', KEYS[2], ARGV[4])
if not wanted(load(KEYS[1]), ARGV[1], tonumber(ARGV[2])) then return 'superseded' end
return 'renewed'
