-- KEYS: store, callback lease, callbacks   ARGV: token, lease ms
-- Drops obsolete callbacks and answers {claimed, callback, request, 1 if the last delete retains the data or 0,
-- the generation that asked last to rotate the credentials or 0}, {empty} or {held}.
local r = load(KEYS[1])
if not take_lease(KEYS[2], ARGV[1], ARGV[2]) then return { 'held' } end

for _, seq in ipairs(sequences(KEYS[3])) do
  local json = redis.call('HGET', KEYS[3], seq)
  if not obsolete(r, cjson.decode(json)) then return { 'claimed', with_queue(json), r.request or '', r.retain_data or '0', r.rotation or '0' } end
  remove_callback(KEYS[3], seq)
end
return { 'empty' }
