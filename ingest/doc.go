// Package ingest is HTTP in, [provision.Request] out: it checks the token, reads the body strictly, validates, hands the
// request to an [Acceptor] and answers. It knows neither the queue nor Redis nor the cluster, and never waits for a store.
//
// The contract is described by openapi.yaml, which is served at /openapi.yaml. Where the contract leaves a choice, this
// package has made these:
//
//   - A body of another type than JSON is malformed (400). A missing Content-Type is tolerated, since the body is read
//     strictly in any case.
//   - Keys count exactly as written: Store_ID is an unknown field and is ignored. Two equal keys in any object of the body,
//     known or unknown, make it malformed, because readers disagree about which of the two counts.
//   - null is the same as absent.
//   - DELETE /stores/{store_id} may have a body; it is read by the same rules and may not contradict the path.
//   - retain_data belongs to a delete: in the body, or in the query of DELETE /stores/{store_id}. Where it contradicts
//     itself, is neither true nor false, or comes with a provision, it is refused rather than ignored, since ignoring it
//     could destroy what the caller wants to keep.
package ingest
