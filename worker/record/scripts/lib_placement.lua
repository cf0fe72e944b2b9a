-- The cluster that the store lives on, or lived on last; nil for an unknown store. Only installations that name their
-- clusters write the field.
local function cluster_of(r)
  if r.cluster then return r.cluster end
  return (r.name or '') ~= '' and 'default' or nil
end

-- The cluster that has to run this operation. The delete of an unknown store goes from cluster to cluster:
-- clusters_to_search are those left, the current one first.
local function run_cluster(r, op)
  return op == 'delete' and r.clusters_to_search and string.match(r.clusters_to_search, '^%S+') or cluster_of(r) or 'default'
end

-- The key of a cluster's set of stores. The default cluster has none: its stores are all that are in no other set, since
-- they may be older than the installation's names.
local function cluster_stores(cluster) return '{orch}:cluster-stores:' .. cluster end

local function add_to_cluster(cluster, id)
  if cluster ~= 'default' then redis.call('SADD', cluster_stores(cluster), id) end
end

local function remove_from_cluster(cluster, id)
  if cluster and cluster ~= 'default' then redis.call('SREM', cluster_stores(cluster), id) end
end
