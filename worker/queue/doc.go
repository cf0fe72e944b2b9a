// Package queue is the tasks and queues of asynq: types, ids, payloads and statistics. A task carries a store id and a
// generation, and nothing to show a stranger.
//
// Every method may be repeated. A Redis that does not answer is a [provision.Error] of code unavailable.
package queue
