-- KEYS: stores, records   ARGV: the records' ids       Drops the stores whose record has expired from the list.
for i, id in ipairs(ARGV) do
  if redis.call('EXISTS', KEYS[1 + i]) == 0 then redis.call('ZREM', KEYS[1], id) end
end
return 0
