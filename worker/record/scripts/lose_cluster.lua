-- KEYS: lost-clusters, records-complete, recovered-clusters   ARGV: cluster
-- Gives a cluster up. Records that are incomplete do not wait for it any more. Answers 1 if it was not given up before.
if redis.call('EXISTS', KEYS[2]) == 0 then redis.call('SADD', KEYS[3], ARGV[1]) end
return redis.call('HSETNX', KEYS[1], ARGV[1], '')
