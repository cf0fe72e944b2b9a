-- KEYS: rollout, stores   ARGV: how many stores to look at
-- Moves the rollout on by one step. Answers id, generation and cluster of each store that is being upgraded: new ones, and those whose task may have been lost.
local n, at = tonumber(ARGV[1]), now()
local flat, o = redis.call('HGETALL', ROLLOUT), {}
for i = 1, #flat, 2 do o[flat[i]] = flat[i + 1] end
if o.state ~= 'gathering' and o.state ~= 'running' then return {} end

if o.state == 'gathering' then
  -- In an order that has nothing to do with age or name; canaries first.
  local rows = redis.call('ZRANGEBYSCORE', KEYS[2], o.position == '' and '-inf' or '(' .. o.position, '+inf', 'WITHSCORES', 'LIMIT', 0, n)
  for i = 1, #rows, 2 do
    local f = redis.call('HMGET', '{orch}:store:' .. rows[i], 'engine', 'op', 'status')
    if f[1] == o.engine and f[2] == 'provision' then
      local score = has_word(o.canaries, rows[i]) and -1 or tonumber(string.sub(redis.sha1hex(o.id .. rows[i]), 1, 8), 16)
      redis.call('ZADD', rollout_key('todo'), score, rows[i])
    end
  end
  if #rows < 2 * n then
    redis.call('HSET', ROLLOUT, 'state', 'running', 'total', redis.call('ZCARD', rollout_key('todo')))
  else
    redis.call('HSET', ROLLOUT, 'position', text(tonumber(rows[#rows])))
  end
  return {}
end

local function task(answer, id)
  local r = load('{orch}:store:' .. id)
  answer[#answer + 1] = id
  answer[#answer + 1] = text(r.generation)
  answer[#answer + 1] = run_cluster(r, 'provision')
end

local answer, total = {}, tonumber(o.total)
for _, id in ipairs(redis.call('ZRANGE', rollout_key('doing'), 0, -1)) do
  local r = load('{orch}:store:' .. id)
  if wanted(r, 'maintain', r.generation) then
    task(answer, id)
  else -- something was asked of it meanwhile, which comes first
    redis.call('ZREM', rollout_key('doing'), id)
    redis.call('ZADD', rollout_key('todo'), at, id)
  end
end
local counts = rollout_counts()
if counts.failed - tonumber(o.tolerated or 0) > tonumber(o.max_failures) then
  pause_rollout(counts.failed .. ' stores have failed, more than ' .. o.max_failures)
  return answer
end

-- Up to how many stores the wave goes, of all that have come so far.
local waves, wave = {}, tonumber(o.wave)
for w in string.gmatch(o.waves, '%S+') do waves[#waves + 1] = w end
local function upto(w)
  local percent = string.match(w, '^(%d+)%%$')
  local most = percent and math.ceil(total * tonumber(percent) / 100) or tonumber(w)
  return math.min(total, most)
end
local finished = counts.done + counts.failed + counts.skipped
local target = wave > #waves and total or upto(waves[wave])
if finished >= total then
  redis.call('HSET', ROLLOUT, 'state', 'done', 'ended_at', text(at))
  redis.call('HDEL', ROLLOUT, 'soak_until')
  return answer
end
if finished >= target then
  if not o.soak_until then
    redis.call('HSET', ROLLOUT, 'soak_until', text(at + o.soak_ms))
    return answer
  end
  if at < tonumber(o.soak_until) then return answer end
  redis.call('HDEL', ROLLOUT, 'soak_until')
  redis.call('HSET', ROLLOUT, 'wave', text(wave + 1))
  return answer
end

local room = math.min(tonumber(o.parallel) - counts.doing, target - finished - counts.doing)
for _, id in ipairs(room > 0 and redis.call('ZRANGE', rollout_key('todo'), 0, n - 1) or {}) do
  if room <= 0 then break end
  local r = load('{orch}:store:' .. id)
  if wanted(r, 'maintain', r.generation) and not r.suspended then
    redis.call('ZREM', rollout_key('todo'), id)
    redis.call('ZADD', rollout_key('doing'), at, id)
    task(answer, id)
    room = room - 1
  elseif r.suspended or r.op ~= 'provision' or has_outcome(r) then -- stopped, going, or failed: there is no shop to upgrade
    redis.call('ZREM', rollout_key('todo'), id)
    redis.call('SADD', rollout_key('skipped'), id)
    room = room - 1
  else
    redis.call('ZADD', rollout_key('todo'), at, id) -- busy: after the others
  end
end
return answer
