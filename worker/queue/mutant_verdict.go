//go:build mutant_verdict

package queue

// A generation that has its verdict gets another one.
var mutant = hole{"verdict", "if op == 'provision' and decided(r) and (r.status == 'READY' or not success) then return { 'stands' } end", ""}
