// Package queue is everything that crosses Redis: the record of a store, which decides; its journal, which is only
// shown; and the tasks of asynq, which carry nothing but a store id and a generation.
//
// Each change of a record is one Lua script, so that the check and the change are one. docs/redis.md lists the keys, the
// fields and the scripts. Every method may be repeated: after an error that leaves the outcome open, doing it again
// gives the outcome of having done it once.
//
// Errors: trouble on the way to Redis is a [provision.Error] of code unavailable; any other error is a defect.
package queue
