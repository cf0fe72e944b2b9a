// Package e2e starts a real cluster and uses it. Its test needs the built program, named by DEVCLUSTER_BIN, and kubectl on the
// PATH; without the former it is skipped.
package e2e

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestCluster(t *testing.T) {
	bin := os.Getenv("DEVCLUSTER_BIN")
	if bin == "" {
		t.Skip("DEVCLUSTER_BIN names no program")
	}
	c := &testCluster{bin: bin, dir: filepath.Join(t.TempDir(), "c")}
	t.Cleanup(func() { _ = c.process.Process.Kill() }) // its children die with it
	c.up(t)
	// One cluster for all, in this order: starting one takes seconds.
	t.Run("pods follow their annotations", c.podsFollowTheirAnnotations)
	t.Run("quota is real", c.quotaIsReal)
	t.Run("port-forward leads to the shop", c.portForward)
	t.Run("a killed API server comes back", c.apiServerComesBack)
	t.Run("namespace deletion is real", c.namespaceDeletion)
	t.Run("state survives a restart", c.restart)
	t.Run("clean leaves nothing", c.clean)
}

type testCluster struct {
	bin, dir string
	process  *exec.Cmd
	log      bytes.Buffer
}

// up starts the cluster and returns when the ready line is there.
func (c *testCluster) up(t *testing.T) {
	t.Helper()
	c.process = exec.Command(c.bin, "up", "--dir", c.dir, "--ready-delay", "0s..500ms")
	c.process.Stderr = &c.log
	out, err := c.process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.process.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if want := "ready KUBECONFIG=" + filepath.Join(c.dir, "kubeconfig") + "\n"; err != nil || line != want {
		_ = c.process.Wait()
		t.Fatalf("%q instead of %q (%v)\n%s", line, want, err, &c.log)
	}
}

func (c *testCluster) kubectl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := c.try(args...)
	if err != nil {
		t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

func (c *testCluster) try(args ...string) (string, error) {
	cmd := exec.Command("kubectl", append([]string{"--request-timeout=20s"}, args...)...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+filepath.Join(c.dir, "kubeconfig"))
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// waitFor waits until the object's field has the value.
func (c *testCluster) waitFor(t *testing.T, object, field, value string) {
	t.Helper()
	c.kubectl(t, "wait", "-n", "store", object, "--for=jsonpath={"+field+"}="+value, "--timeout=60s", "--request-timeout=0")
}

func (c *testCluster) podsFollowTheirAnnotations(t *testing.T) {
	c.kubectl(t, "apply", "-f", "testdata/store.yaml")
	const reason = ".status.containerStatuses[0].state.waiting.reason"
	c.waitFor(t, "deployment/web", ".status.availableReplicas", "1")
	c.waitFor(t, "pod/db-0", ".status.phase", "Running")
	c.waitFor(t, "pvc/data-db-0", ".status.phase", "Bound")
	c.waitFor(t, "job/job", ".status.succeeded", "1")
	c.waitFor(t, "pod/missing", reason, "ImagePullBackOff")
	c.waitFor(t, "pod/image", reason, "ImagePullBackOff")
	c.waitFor(t, "pod/crash", reason, "CrashLoopBackOff")
	c.waitFor(t, "pod/crash", ".status.containerStatuses[0].restartCount", "5")
	c.waitFor(t, "pod/init-image", ".status.initContainerStatuses[0].state.waiting.reason", "ImagePullBackOff")
	c.waitFor(t, "pod/init-crash", ".status.initContainerStatuses[0].state.waiting.reason", "CrashLoopBackOff")
	init := c.kubectl(t, "get", "-n", "store", "pod", "-l", "app=web", "-o", "jsonpath={.items[0].status.initContainerStatuses[0].state.terminated.reason}")
	if init != "Completed" {
		t.Errorf("the init container is %q", init)
	}
}

func (c *testCluster) quotaIsReal(t *testing.T) {
	// kube-root-ca.crt, which the controllers make, is the first of two.
	c.kubectl(t, "create", "-n", "store", "configmap", "second")
	if out, err := c.try("create", "-n", "store", "configmap", "third"); err == nil || !strings.Contains(out, "exceeded quota") {
		t.Errorf("the third: %v %s", err, out)
	}
}

func (c *testCluster) portForward(t *testing.T) {
	cmd := exec.Command("kubectl", "port-forward", "-n", "store", "--address=127.0.0.1", "deployment/web", ":8080")
	cmd.Env = append(os.Environ(), "KUBECONFIG="+filepath.Join(c.dir, "kubeconfig"))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	line, err := bufio.NewReader(out).ReadString('\n') // Forwarding from 127.0.0.1:34567 -> 8080
	var port int
	if _, scanErr := fmt.Sscanf(line, "Forwarding from 127.0.0.1:%d", &port); err != nil || scanErr != nil {
		t.Fatalf("kubectl said %q: %v %v", line, err, scanErr)
	}
	shop := "http://127.0.0.1:" + strconv.Itoa(port)
	if status, body := get(t, shop+"/shop/"); status != 200 || !strings.Contains(body, "woocommerce-shop") {
		t.Errorf("the shop answers %d %s", status, body)
	}
	c.misbehave(t, "shop.example.com", "500")
	if status, body := get(t, shop+"/shop/"); status != 500 {
		t.Errorf("the shop that was set to fail answers %d %s", status, body)
	}
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "shop.example.com"
	return do(t, req)
}

func (c *testCluster) misbehave(t *testing.T, host, mode string) {
	t.Helper()
	admin, err := os.ReadFile(filepath.Join(c.dir, "shop-admin"))
	if err != nil {
		t.Fatal(err)
	}
	body := strings.NewReader(`{"mode":"` + mode + `"}`)
	req, err := http.NewRequest(http.MethodPut, strings.TrimSpace(string(admin))+"/hosts/"+host, body)
	if err != nil {
		t.Fatal(err)
	}
	if status, answer := do(t, req); status != 200 {
		t.Fatalf("the shop's admin API answers %d %s", status, answer)
	}
}

func do(t *testing.T, req *http.Request) (int, string) {
	t.Helper()
	client := http.Client{Timeout: 20 * time.Second}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func (c *testCluster) apiServerComesBack(t *testing.T) {
	before := c.pid(t, "kube-apiserver")
	if err := syscall.Kill(before, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		if _, err := c.try("get", "--raw", "/readyz"); err == nil {
			break
		}
		if time.Now().After(end) {
			t.Fatal("it does not come back")
		}
	}
	if after := c.pid(t, "kube-apiserver"); after == before {
		t.Error("it was not killed")
	}
	c.kubectl(t, "get", "-n", "store", "deployment", "web")
}

func (c *testCluster) pid(t *testing.T, component string) int {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(c.dir, "run", component+".pid"))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

func (c *testCluster) namespaceDeletion(t *testing.T) {
	c.kubectl(t, "delete", "namespace", "store", "--timeout=90s", "--request-timeout=0")
	c.kubectl(t, "wait", "--for=delete", "persistentvolume", "--all", "--timeout=60s", "--request-timeout=0")
}

func (c *testCluster) restart(t *testing.T) {
	c.kubectl(t, "create", "namespace", "kept")
	if out, err := exec.Command(c.bin, "down", "--dir", c.dir).CombinedOutput(); err != nil {
		t.Fatalf("down: %v %s", err, out)
	}
	if err := c.process.Wait(); err != nil {
		t.Errorf("up ended with %v\n%s", err, &c.log)
	}
	if left, _ := filepath.Glob(filepath.Join(c.dir, "run", "*.pid")); len(left) > 0 {
		t.Errorf("pid files are left: %v", left)
	}
	c.up(t)
	c.kubectl(t, "get", "namespace", "kept")
}

func (c *testCluster) clean(t *testing.T) {
	if out, err := exec.Command(c.bin, "clean", "--dir", c.dir).CombinedOutput(); err == nil {
		t.Errorf("clean removed a running cluster: %s", out)
	}
	for _, command := range []string{"down", "clean"} {
		if out, err := exec.Command(c.bin, command, "--dir", c.dir).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v %s", command, err, out)
		}
	}
	if _, err := os.Stat(c.dir); !os.IsNotExist(err) {
		t.Errorf("the folder is still there: %v", err)
	}
	if err := c.process.Wait(); err != nil {
		t.Errorf("up ended with %v", err)
	}
}
