-- KEYS: store, turn, calls   ARGV: token, lease ms
-- Drops what nobody wants to hear any more and answers {call, callback, request}, {none} or {held}.
local r = load(KEYS[1])
if not take(KEYS[2], ARGV[1], ARGV[2]) then return { 'held' } end

local function stale(c)
  local gen, seq = tonumber(c.generation), tonumber(c.sequence)
  if c.status == 'PROVISIONING' or c.status == 'DELETING' then return seq < r.seq or gen < r.gen end
  return (c.status == 'READY' or c.status == 'FAILED') and gen < r.gen
end

local seqs = redis.call('HKEYS', KEYS[3])
table.sort(seqs, function(a, b) return tonumber(a) < tonumber(b) end)
for _, seq in ipairs(seqs) do
  local json = redis.call('HGET', KEYS[3], seq)
  if not stale(cjson.decode(json)) then return { 'call', json, r.request or '' } end
  redis.call('HDEL', KEYS[3], seq)
end
return { 'none' }
