// Package record is the record of each store in Redis, which decides: the newest request, who may run it, and its outcome.
// With it are kept the pending callbacks, the dead letters and the journal, which is only shown.
//
// Each change of a record is one Lua script, so that check and change are one. docs/redis.md lists the keys, the fields and
// the scripts. Every method may be repeated: after an error that leaves the result open, repeating it gives the result of
// having done it once.
//
// Errors: a Redis that does not answer is a [provision.Error] of code unavailable; other codes are named where a method
// returns them; any other error is a defect.
package record
