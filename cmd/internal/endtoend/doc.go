// Package endtoend holds tests of the binaries as they are run: a real redis-server, a real API server, processes that
// are killed. They need the build tag devcluster, the binaries in ORCH_TEST_BIN and a cluster in ORCH_TEST_KUBECONFIG;
// `make integration` provides both.
package endtoend
