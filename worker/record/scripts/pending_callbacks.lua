-- KEYS: store, callback lease, callbacks      Answers the pending callbacks that are to be delivered, in order of sequence.
-- Obsolete ones are passed over, since the queue of the first one is where the store's delivery waits: no worker may serve it any
-- more. They are dropped, unless a delivery has claimed them: it drops them, or records that the backend has received one.
local r = load(KEYS[1])
local claimed = redis.call('EXISTS', KEYS[2]) == 1
local pending = {}
for _, seq in ipairs(sequences(KEYS[3])) do
  local json = redis.call('HGET', KEYS[3], seq)
  local c = cjson.decode(json)
  if not obsolete(r, c) then
    redis.call('ZADD', PENDING_CALLBACKS, 'NX', c.replayed_at or c.at, pending_callback(KEYS[3], seq)) -- of a version without it
    pending[#pending + 1] = with_queue(json)
  elseif not claimed then
    remove_callback(KEYS[3], seq)
  end
end
return pending
