-- KEYS: store, callback lease, callbacks   ARGV: token, lease ms
-- Drops obsolete callbacks and answers {claimed, callback, request, 1 if the last delete retains the data or 0}, {empty} or {held}.
local r = load(KEYS[1])
if not take_lease(KEYS[2], ARGV[1], ARGV[2]) then return { 'held' } end

local seqs = redis.call('HKEYS', KEYS[3])
table.sort(seqs, function(a, b) return tonumber(a) < tonumber(b) end)
for _, seq in ipairs(seqs) do
  local json = redis.call('HGET', KEYS[3], seq)
  if not obsolete(r, cjson.decode(json)) then return { 'claimed', json, r.request or '', r.retain_data or '0' } end
  redis.call('HDEL', KEYS[3], seq)
end
return { 'empty' }
