-- KEYS: store, hosts, namespaces, stores, outstanding, callbacks
-- ARGV: id, op, generation, digest, request, name, namespace, engine, host, timeout ms, status or '', code, error, delivered (1 or 0),
-- retain (1 or 0), cluster, outputs or '', suspended (1 or 0), protected (1 or 0),
-- when the store is to be deleted in ms or '', whether its data is retained then (1 or 0), the generation that asked last to
-- rotate the credentials or '', 1 for a grace of which the backend is told nothing, 2 if it was
-- suspended before, or 0, the last good backup as JSON or '' and when it began in ms,
-- how many backups of a store are kept, the backup as JSON that the store is to be restored from or '', the generation of that restore,
-- the last restore test that has passed as JSON or '' and when that was in ms
-- Restores a record from the annotations of the store's namespace, where there is none or an older one.
-- Answers the newest generation on record after restored, known, other-cluster (the store lives on another cluster) or leftover (a
-- later delete has ended, and the namespace should not be there) or lost (the cluster was given up). After known follow whether the
-- store is protected (1 or 0), and with the outcome of this generation status, code, error, outputs and whether it was delivered (1 or 0).
local id, op, gen, status, cluster = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[11], ARGV[16]
local r, at, micros = load(KEYS[1]), now()
local host = status ~= 'DELETED' and ARGV[9] or '' -- a deleted store whose data is retained owns no host
if is_lost(cluster) then return { 'lost', text(r.generation) } end
if r.generation >= gen then
  local result = (cluster_of(r) or cluster) ~= cluster and 'other-cluster' or 'known'
  if gone(r) then result = not r.retain_data and r.deleted_generation > gen and 'leftover' or 'known' end
  if result == 'known' and r.generation == gen and has_outcome(r) then
    local delivered = redis.call('HLEN', KEYS[6]) == 0 and not r.dead_letter_id
    return { result, text(gen), r.protected or '0', r.status, r.code or '', r.error or '', r.outputs or '', delivered and '1' or '0' }
  end
  return { result, text(r.generation), r.protected or '0' }
end

-- Sequences were lost too: the next callbacks must come after all that the backend may have heard, under new ids.
r.sequence = math.max(r.sequence, at)
redis.call('PERSIST', KEYS[1])
redis.call('HSET', KEYS[1], 'sequence', text(r.sequence), 'generation', text(gen), 'op', op, 'digest', ARGV[4], 'request', ARGV[5], 'name', ARGV[6], 'namespace', ARGV[7],
  'engine', ARGV[8], 'host', ARGV[9], 'owned_hosts', host, 'run_hosts', host, 'accepted_at', text(at), 'timeout_ms', ARGV[10], 'deadline', text(at + ARGV[10]),
  'open_delete', (op == 'delete' and status == '') and text(gen) or '0')
redis.call('HDEL', KEYS[1], 'status', 'code', 'error', 'decided_at', 'retain_data', 'clusters_to_search', 'outputs', 'held_at', 'held_ms', 'audited_at', 'edition', 'drifted', 'outdated', 'unwell', 'forgotten', 'contested_by', 'requested_by', 'request_id', 'trace', 'force', 'suspended', 'suspend_reason', 'protected', 'delete_at', 'delete_retains', 'delete_quiet', 'rotation', 'rotation_before', 'restore', 'restore_generation', 'restore_before', 'restore_before_generation')
forget_scheduled(KEYS[1])
if ARGV[24] ~= '' then
  redis.call('HSET', KEYS[1], 'backup', ARGV[24], 'backup_at', ARGV[25])
  keep_backup(id, ARGV[24], tonumber(ARGV[26]))
end
if ARGV[29] ~= '' then redis.call('HSET', KEYS[1], 'restore_test', ARGV[29], 'restore_test_at', ARGV[30]) end
if ARGV[27] ~= '' and status ~= 'READY' then redis.call('HSET', KEYS[1], 'restore', ARGV[27], 'restore_generation', ARGV[28]) end
if ARGV[20] ~= '' then
  redis.call('HSET', KEYS[1], 'delete_at', ARGV[20], 'delete_retains', ARGV[21])
  if ARGV[23] ~= '0' then redis.call('HSET', KEYS[1], 'delete_quiet', ARGV[23]) end
  redis.call('ZADD', GRAVES, ARGV[20], id)
end
if ARGV[22] ~= '' then redis.call('HSET', KEYS[1], 'rotation', ARGV[22]) end
if ARGV[18] == '1' then redis.call('HSET', KEYS[1], 'suspended', '1') end
if ARGV[19] == '1' then redis.call('HSET', KEYS[1], 'protected', '1') end
-- The cluster does not say whether the store was READY before: it may have been.
if status == 'DELETED' then redis.call('HDEL', KEYS[1], 'ready_generation') else redis.call('HSET', KEYS[1], 'ready_generation', text(gen)) end
if ARGV[15] == '1' then redis.call('HSET', KEYS[1], 'retain_data', '1') end
remove_from_cluster(r.cluster, id)
add_to_cluster(cluster, id)
r.cluster = cluster
if cluster == 'default' then redis.call('HDEL', KEYS[1], 'cluster') else redis.call('HSET', KEYS[1], 'cluster', cluster) end
if r.creator_queue then leave_queue(r, KEYS[1], id) end -- a store with a namespace has begun: it needs no slot
if host ~= '' then redis.call('HSETNX', KEYS[2], host, id) end
redis.call('HSETNX', KEYS[3], ARGV[7], id)
redis.call('ZADD', KEYS[4], text(micros), id)
if status ~= '' then
  redis.call('HSET', KEYS[1], 'outcome_generation', text(gen), 'status', status, 'code', ARGV[12], 'error', ARGV[13], 'decided_at', text(at))
  if ARGV[17] ~= '' then redis.call('HSET', KEYS[1], 'outputs', ARGV[17]) end
  if status == 'DELETED' then redis.call('HSET', KEYS[1], 'deleted_generation', text(gen)) end
  if status == 'DELETE_FAILED' then redis.call('HSET', KEYS[1], 'delete_failed_generation', text(gen)) end
  if ARGV[14] ~= '1' and ARGV[23] == '0' then add_callback(r, KEYS[1], KEYS[6], at, gen, status, ARGV[12], ARGV[13]) end
end
if status == '' or ARGV[14] ~= '1' then redis.call('ZADD', KEYS[5], at, id) end
index_store(KEYS[1], id, true)
return { 'restored', text(gen) }
