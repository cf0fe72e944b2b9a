//go:build mutant_delete

package queue

// A provision takes the place of the delete before it.
var mutant = hole{"accept", "  redis.call('HSET', KEYS[1], 'request', request, 'name'", "  redis.call('HSET', KEYS[1], 'del', '0', 'request', request, 'name'"}
