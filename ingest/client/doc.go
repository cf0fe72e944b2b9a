// Package client calls the HTTP API that ingest/openapi.yaml describes, and parses its answers into the types of package provision. It needs
// the standard library only.
//
// # What is accepted is carried out
//
// A method that changes a store returns once the request is recorded. The outcome comes later: in the callback to the backend, and in
// [Client.Store], whose status is final then ([provision.Status.Final]) while its generation is that of [Accepted] or a higher one.
//
// # Requests may be repeated
//
// The client sends each request once. After an error for which [IsTemporary] is true, and after a context that ended, the request may have been
// recorded or not: send the same one again. While a request is under way an equal one joins it, with the same generation, and nothing runs
// twice. After its outcome an equal one is a new generation: the store is looked at, what is wrong is repaired, and the outcome is told again.
// [Rotate] and [Restore] alone do their work once for each request; with a generation, a repeated one does it once. A [Backup] that is asked for
// again before it begins is the same one.
//
// A method that takes a generation is refused with [KindGenerationChanged] unless that is the newest of the store; 0 is any. Take it from
// [Client.Store] to change only what you have seen. A request that is equal to the newest one is accepted all the same, so that it may be repeated.
//
// # Errors
//
// What the service refuses is a [*Problem]; compare its Kind or its Status and show the rest to people. An answer of another server is an
// [ErrNotIngest], no answer at all an [ErrUnreachable], and a context that ended is the context's error.
//
// # Lists
//
// A list comes in pages. The cursor of the first one is "", that of the next one is Next of the page before, and a page without Next is the last. A
// page may be empty before the last.
package client
