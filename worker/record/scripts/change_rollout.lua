-- KEYS: rollout   ARGV: pause, resume or abort; a reason
-- Answers {changed} or {none} or {state}, where that cannot be done in this state.
local state = redis.call('HGET', ROLLOUT, 'state')
if not state then return { 'none' } end
if ARGV[1] == 'pause' and (state == 'running' or state == 'gathering') then
  redis.call('HSET', ROLLOUT, 'paused_from', state)
  pause_rollout(ARGV[2])
elseif ARGV[1] == 'resume' and state == 'paused' then
  redis.call('HSET', ROLLOUT, 'state', redis.call('HGET', ROLLOUT, 'paused_from') == 'gathering' and 'gathering' or 'running',
    'tolerated', redis.call('SCARD', rollout_key('failed'))) -- what has failed was seen
  redis.call('HDEL', ROLLOUT, 'reason', 'paused_from')
elseif ARGV[1] == 'abort' and is_active(state) then
  redis.call('HSET', ROLLOUT, 'state', 'aborted', 'reason', ARGV[2], 'ended_at', text(now()))
else
  return { state }
end
return { 'changed' }
