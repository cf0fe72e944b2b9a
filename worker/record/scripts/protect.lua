-- KEYS: store   ARGV: 1 to protect the store from deletes, 0 to lift that
-- Answers {done} or {no-record} or {gone}.
local r = load(KEYS[1])
if r.generation == 0 then return { 'no-record' } end
if gone(r) and not r.retain_data then return { 'gone' } end
if ARGV[1] == '1' then redis.call('HSET', KEYS[1], 'protected', '1') else redis.call('HDEL', KEYS[1], 'protected') end
return { 'done' }
