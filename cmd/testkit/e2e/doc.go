// Package e2e holds tests of the binaries as they are run: a real redis-server, a real API server, processes that
// are killed. They need the binaries in ORCH_TEST_BIN and a cluster in ORCH_TEST_KUBECONFIG.
//
// With the build tag devcluster the cluster's pods are simulated, and the tests are about the service; `make integration`
// provides all of it. With the tag realcluster the pods are real ones, and the test is about the shops in them: `make e2e`,
// described in docs/e2e.md. TestDoorsAreClosed has the service in that cluster too, and is about who reaches whom: `make doors`.
package e2e
