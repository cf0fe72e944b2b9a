-- A creator's queue holds its new stores from their acceptance to their first outcome. Those that have begun come first, with
-- a score below 0; the others follow by generation. The first `limit` of the queue have a slot.
local function creator_queue(creator) return '{orch}:creator-queue:' .. creator end

local function join_queue(store, id, creator, gen)
  if creator == '' then return end
  redis.call('HSET', store, 'creator_queue', creator)
  redis.call('ZADD', creator_queue(creator), text(gen), id)
end

local function leave_queue(r, store, id)
  redis.call('HDEL', store, 'creator_queue', 'throttled')
  redis.call('ZREM', creator_queue(r.creator_queue), id)
end

local function has_slot(r, id, limit)
  if not r.creator_queue or limit == 0 then return true end
  local key = creator_queue(r.creator_queue)
  redis.call('ZADD', key, 'NX', text(r.generation), id) -- an operator may have removed the queue by hand
  return tonumber(redis.call('ZSCORE', key, id)) < 0 or redis.call('ZRANK', key, id) < limit
end

-- Appends id, generation and cluster of each throttled store that has a slot now.
local function append_admitted(answer, creator, limit)
  local begun = redis.call('ZCOUNT', creator_queue(creator), '-inf', '(0')
  if limit == 0 or begun >= limit then return answer end
  for _, id in ipairs(redis.call('ZRANGE', creator_queue(creator), begun, limit - 1)) do
    local f = redis.call('HMGET', '{orch}:store:' .. id, 'throttled', 'generation', 'cluster')
    if f[1] then
      answer[#answer + 1] = id
      answer[#answer + 1] = f[2]
      answer[#answer + 1] = f[3] or 'default'
    end
  end
  return answer
end
