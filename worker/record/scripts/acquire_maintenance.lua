-- KEYS: store, run lease   ARGV: generation, token, lease ms, cluster
-- Takes the lease of a store at which nothing is to be done but maintenance, and touches nothing of its runs. Answers {acquired, request,
-- 1 for a store that is suspended or 0, the same for one that is protected, the last good backup as JSON or ''}, or why not: {superseded|held|other-cluster}.
local r = load(KEYS[1])
if not wanted(r, 'maintain', tonumber(ARGV[1])) then return { 'superseded' } end
if run_cluster(r, 'provision') ~= ARGV[4] then return { 'other-cluster' } end
if not take_lease(KEYS[2], ARGV[2], ARGV[3]) then return { 'held' } end
return { 'acquired', r.request, r.suspended or '0', r.protected or '0', r.backup or '' }
