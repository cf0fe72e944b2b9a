// Package ingest is the HTTP API. It turns an HTTP request into a [provision.Request]: it checks the token, parses the body
// strictly, validates the fields, hands the request to an [Acceptor] and answers. It does not know the queue, Redis or
// Kubernetes, and never waits for a store.
//
// openapi.yaml describes the contract and is served at /openapi.yaml. Where the contract leaves a choice open, this package
// decides as follows:
//
//   - A body whose Content-Type is not JSON is malformed (400). A missing Content-Type is accepted, because the body is
//     parsed strictly in any case.
//   - Keys are case-sensitive: Store_ID is an unknown field and is ignored. A duplicate key in any object of the body, known
//     or unknown, makes the body malformed, because parsers disagree about which of the two values counts.
//   - null means absent. An integer is taken as a string of its digits, and an empty array as empty settings: that is how PHP and
//     JavaScript write them.
//   - Hosts are normalized before anything compares them: lower case, punycode, no dot at the end.
//   - Paths are routed without regard to slashes at the end and in a row.
//   - DELETE /stores/{store_id} may have a body, which is parsed by the same rules and must not contradict the path.
//   - retain_data belongs to a delete: in the body, or in the query of DELETE /stores/{store_id}. If body and query differ,
//     if it is neither true nor false, or if it comes with a provision, the request is refused. Ignoring it could destroy
//     data that the caller wants to keep.
package ingest
