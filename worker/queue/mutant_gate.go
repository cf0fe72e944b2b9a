//go:build mutant_gate

package queue

// The gate lets everybody in, and turns out who is inside.
var mutant = hole{"enter", "if not take(KEYS[2], token, ARGV[4]) then return { 'held' } end", "redis.call('SET', KEYS[2], token, 'PX', ARGV[4])"}
