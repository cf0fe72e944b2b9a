//go:build devcluster || realcluster

package e2e

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"orchestrator/provision"
)

// helmProgram runs Helm's own program on the cluster of the test.
func helmProgram(t *testing.T, args ...string) (string, error) {
	t.Helper()
	command := exec.Command(filepath.Join(must(t, "ORCH_TEST_BIN"), "helm"), append(args, "--kubeconfig", must(t, "ORCH_TEST_KUBECONFIG"))...)
	out, err := command.CombinedOutput()
	return string(out), err
}

// helm is that program in the namespace of a store.
type helm struct {
	t *testing.T
	s provision.Request
}

func (h helm) run(args ...string) string {
	h.t.Helper()
	out, err := helmProgram(h.t, append(args, "--namespace", h.s.Namespace)...)
	if err != nil {
		h.t.Fatalf("helm %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}
