//go:build mutant_turn

package queue

// Everybody has the turn.
var mutant = hole{"turn", "if not take(KEYS[2], ARGV[1], ARGV[2]) then return { 'held' } end", ""}
