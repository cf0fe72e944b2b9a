-- KEYS: rollout   ARGV: id, engine, waves separated by spaces (50 or 10%), canaries separated by spaces, parallel, most failures, soak ms, 1 where a data
-- version may rise without a backup, who asks
-- Begins a rollout, unless one is under way. Answers {started} or {active, engine}.
local state = redis.call('HGET', ROLLOUT, 'state')
if state and is_active(state) then return { 'active', redis.call('HGET', ROLLOUT, 'engine') } end
redis.call('DEL', ROLLOUT, rollout_key('todo'), rollout_key('doing'), rollout_key('done'), rollout_key('failed'), rollout_key('skipped'), rollout_key('errors'), rollout_key('backups'))
redis.call('HSET', ROLLOUT, 'id', ARGV[1], 'state', 'gathering', 'engine', ARGV[2], 'waves', ARGV[3], 'canaries', ARGV[4], 'parallel', ARGV[5],
  'max_failures', ARGV[6], 'soak_ms', ARGV[7], 'without_backup', ARGV[8], 'requested_by', ARGV[9], 'started_at', text(now()), 'wave', '1', 'position', '')
return { 'started' }
