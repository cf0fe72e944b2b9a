-- KEYS: lost-clusters   ARGV: cluster, where the pass stood, where it stands after these stores or 'done', ids of stores
-- Ends those of the stores that live on a lost cluster. Answers how many, or -1 if the cluster was found, or another pass is further.
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return -1 end
local ended = 0
for i = 4, #ARGV do
  if end_lost(ARGV[i]) then ended = ended + 1 end
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return ended
