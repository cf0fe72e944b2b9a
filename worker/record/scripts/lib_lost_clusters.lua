-- A cluster that was given up: `{orch}:lost-clusters` holds it, with where the pass over all stores stands ('' at its start, 'done'
-- at its end). What lived there is gone; no new store is placed there.
local LOST_CLUSTERS = '{orch}:lost-clusters'

local function is_lost(cluster) return cluster and redis.call('HEXISTS', LOST_CLUSTERS, cluster) == 1 end

-- The queue of a lost cluster may have no worker: what needs no password is sent by any.
local function with_queue(json)
  local c = cjson.decode(json)
  if c.status == 'READY' or not is_lost(c.cluster) then return json end
  c.cluster = 'any'
  return cjson.encode(c)
end

-- Takes the lost clusters from those that a delete has to search. Answers the others, '' where there are none.
local function without_lost(names)
  local left = {}
  for name in string.gmatch(names, '%S+') do
    if not is_lost(name) then left[#left + 1] = name end
  end
  return table.concat(left, ' ')
end
