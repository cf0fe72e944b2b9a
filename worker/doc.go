// Package worker decides when a store is run, how often, and which outcome is reported to the backend.
//
// A task names a generation of a store. Its handler acquires the store's lease, lets a [Runner] carry the operation out,
// records the outcome, and only then finishes the task; a callback task delivers the outcome to the backend; the sweeper
// enqueues what a crash has left without a task. Nothing here knows Kubernetes.
//
// The words, each used for one thing only:
//
//	store            what the backend asks for: a shop, by its store_id
//	request          what the backend asked of a store, whole; accepted requests are recorded
//	generation       the number of an accepted request; the newest one of a store supersedes the older ones
//	run              one attempt to carry out a generation: provision or delete
//	lease            the right to run a store, held by one run at a time (worker/record: Runs)
//	fence            refuses writes of a run whose lease may have expired (provision.Fence)
//	step             a part of a run: namespace, credentials, release, ready, verify, volumes
//	outcome          how a generation ended: READY, FAILED, DELETED or DELETE_FAILED, with a code and a text
//	record           what Redis holds of a store, and what decides (worker/record)
//	journal          the steps of a store; it is shown and never decides
//	callback         the POST that tells the backend an outcome or progress
//	claim            the right to deliver the callbacks of a store, held by one delivery at a time
//	delivered        confirmed by the backend with a 2xx
//	dead letter      a callback that the backend has refused; an operator may replay it
//	outstanding      without an outcome, or with pending callbacks: what the sweeper inspects
//	creator queue    the new stores of one creator, of which a limited number has a slot; the others are throttled
//	saved state      what a store's namespace says about it, from which a lost record is restored
//	recovery         restoring the records from the clusters; until then the records are incomplete
//	task, queue      asynq's (worker/queue); a task carries ids only
package worker
