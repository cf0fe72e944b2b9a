-- KEYS: journal
-- Folds a step that has just failed with its failure before, so that retries over hours do not push the store's own story out of the
-- journal: the entries of the tries between are dropped, and the new entry says how many tries it stands for and since when.
local entries = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 40)
if #entries < 2 then return 0 end
if entries[1][2][1] ~= 'step' then return 0 end
local json = entries[1][2][2]
local last = cjson.decode(json)
if last.state ~= 'failed' then return 0 end
for i = 2, #entries do
  local is_step = entries[i][2][1] == 'step' -- what else has happened to the store stays
  local before = cjson.decode(entries[i][2][2])
  if is_step and (before.generation ~= last.generation or before.op ~= last.op) then return 0 end
  if is_step and before.state == 'failed' then
    if before.name ~= last.name or before.code ~= last.code then return 0 end
    for j = 1, i do
      if entries[j][2][1] == 'step' then redis.call('XDEL', KEYS[1], entries[j][1]) end
    end
    redis.call('XADD', KEYS[1], '*', 'step', string.format('%s,"tries":%d,"since":"%s"}', string.sub(json, 1, -2), (before.tries or 1) + 1, before.since or before.at))
    return 1
  end
end
return 0
