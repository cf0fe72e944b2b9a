//go:build devcluster

package main

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"orchestrator/cmd/lambda/internal/drain"
	"orchestrator/cmd/testkit/redistest"
	"orchestrator/provision"
)

// slowCluster starts a cluster whose pods take a minute to become ready, and returns its kubeconfig.
func slowCluster(t *testing.T) []byte {
	t.Helper()
	bin := os.Getenv("ORCH_TEST_BIN")
	if bin == "" {
		t.Fatal("ORCH_TEST_BIN is not set: .ci/integration does that")
	}
	cmd := exec.Command(filepath.Join(bin, "devcluster"), "up", "--dir", filepath.Join(t.TempDir(), "cluster"), "--ready-delay", "60s")
	said, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	})
	lines := bufio.NewScanner(said)
	for lines.Scan() {
		if _, path, ready := strings.Cut(lines.Text(), "KUBECONFIG="); ready {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			return text
		}
	}
	t.Fatal("the development cluster did not start")
	return nil
}

// releases returns the status of each revision of a store's release.
func releases(t *testing.T, kubeconfig []byte, id string) (all []string) {
	t.Helper()
	config, err := clientcmd.RESTConfigFromKubeConfig(kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	k, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	list, err := k.CoreV1().Secrets("store-"+id).List(t.Context(), metav1.ListOptions{LabelSelector: "owner=helm,name=" + id})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range list.Items {
		all = append(all, s.Labels["status"])
	}
	return all
}

// An invocation ends while the pods of a store start. The next one continues with what is in the cluster.
func TestFunctionContinuesAProvisionAfterADeadline(t *testing.T) {
	t.Parallel()
	kubeconfig, b := slowCluster(t), newBackend(t)
	s := launch(t, environment(redistest.Real(t), b.URL, "ORCH_KUBECONFIG_DATA="+base64.StdEncoding.EncodeToString(kubeconfig))...)
	s.drain(aDrain, enough)
	if status, body := s.request("function URL", http.MethodPost, "/", shop("a", "woocommerce")); status != http.StatusAccepted {
		t.Fatalf("POST answered %d %s", status, body)
	}
	cut := s.drain(aSchedule, drain.MinMargin+30*time.Second)
	if left := cut.Left["provision"]; cut.Ended != "deadline" || cut.Runs["provision unavailable"] != 1 || left.Pending+left.Retry != 1 || left.Active != 0 {
		t.Errorf("cut off: %+v", cut)
	}
	_, body := s.request("HTTP API", http.MethodGet, "/stores/a", "")
	var state provision.State
	if err := json.Unmarshal([]byte(body), &state); err != nil || state.Status != provision.StatusProvisioning || state.Attempts+state.Crashes != 0 || state.Running {
		t.Errorf("between two invocations: %s, %v", body, err)
	}
	if found := releases(t, kubeconfig, "a"); !slices.Equal(found, []string{"deployed"}) {
		t.Errorf("between two invocations the release is %q", found)
	}
	if received := b.all(); len(received) != 0 {
		t.Errorf("callbacks %q before the outcome", received)
	}
	if done := s.drain(aSchedule, drain.MinMargin+5*time.Minute); done.Ended != "idle" || done.Runs["provision READY"] != 1 || done.Callbacks["READY delivered"] != 1 {
		t.Errorf("the next invocation: %+v", done)
	}
	if received := b.all(); !slices.Equal(received, []string{"a READY"}) {
		t.Errorf("received %q", received)
	}
	if found := releases(t, kubeconfig, "a"); !slices.Equal(found, []string{"deployed"}) {
		t.Errorf("the next invocation created other revisions: %q", found)
	}
}
