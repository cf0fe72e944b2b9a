package state

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

func newDir(t *testing.T) Dir {
	t.Helper()
	dir, err := Create(filepath.Join(t.TempDir(), "c"))
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestFolderIsPrivate(t *testing.T) {
	dir := newDir(t)
	info, err := os.Stat(string(dir))
	if err != nil {
		t.Fatal(err)
	}
	if mode := info.Mode().Perm(); mode != 0o700 {
		t.Errorf("mode %o", mode)
	}
}

func TestFolderOfOthersIsRefused(t *testing.T) {
	path := t.TempDir()
	if err := os.WriteFile(filepath.Join(path, "letters"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := Create(path); err == nil {
		t.Error("a folder with other things in it was taken")
	}
}

func TestRemoveLeavesWhatIsNotOurs(t *testing.T) {
	dir := newDir(t)
	foreign := dir.Path("notes")
	if err := os.WriteFile(foreign, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := dir.Remove(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(foreign); err != nil {
		t.Error(err)
	}
	if dir.has("etcd") {
		t.Error("etcd's data is still there")
	}
}

func TestOnlyOneRunsInAFolder(t *testing.T) {
	dir := newDir(t)
	lock, err := dir.Acquire()
	if err != nil {
		t.Fatal(err)
	}
	var running *RunningError
	if _, err := dir.Acquire(); !errors.As(err, &running) || running.Pid != os.Getpid() {
		t.Errorf("the second got %v", err)
	}
	lock.Release()
	if stopped, err := dir.StopRunning(0); stopped || err != nil {
		t.Errorf("nothing runs, yet: %v %v", stopped, err)
	}
}

func TestPortsStayUnlessTaken(t *testing.T) {
	dir := newDir(t)
	first, err := dir.ChoosePorts()
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", first.Address(Shop))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	second, err := dir.ChoosePorts()
	if err != nil {
		t.Fatal(err)
	}
	if second[Shop] == first[Shop] {
		t.Error("a port that is taken was chosen again")
	}
	if len(second) != len(listeners) {
		t.Errorf("%d ports for %d listeners", len(second), len(listeners))
	}
	if read, err := dir.ReadPorts(); err != nil || read[Shop] != second[Shop] {
		t.Errorf("ports.json says %v, %v", read, err)
	}
}

func TestDamagedPortsFileIsNamed(t *testing.T) {
	dir := newDir(t)
	if err := os.WriteFile(dir.Path("ports.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := dir.ChoosePorts(); err == nil || !strings.Contains(err.Error(), "ports.json") {
		t.Errorf("got %v", err)
	}
}

func TestCertificateIsGoodForLoopback(t *testing.T) {
	dir := newDir(t)
	if err := dir.EnsureKeys(); err != nil {
		t.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(dir.Path("pki", "server.crt"), dir.Path("pki", "server.key"))
	if err != nil {
		t.Fatal(err)
	}
	ca, err := os.ReadFile(dir.Path("pki", "ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	for _, name := range []string{"127.0.0.1", "localhost", "kubernetes.default.svc"} {
		if _, err := pair.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: name}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestKeysTokenAndKubeconfigStayTheSame(t *testing.T) {
	dir := newDir(t)
	render := func() string {
		t.Helper()
		if err := dir.EnsureKeys(); err != nil {
			t.Fatal(err)
		}
		token, err := dir.EnsureToken()
		if err != nil {
			t.Fatal(err)
		}
		if err := dir.WriteKubeconfig(Ports{APIServer: 20001}, token); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(dir.Kubeconfig())
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	first := render()
	if !strings.Contains(first, "https://127.0.0.1:20001") {
		t.Errorf("no server in\n%s", first)
	}
	if second := render(); second != first {
		t.Error("the second kubeconfig differs")
	}
}

func TestReapStaleKillsOnlyProcessesOfTheFolder(t *testing.T) {
	dir := newDir(t)
	left := exec.Command("/bin/sh", "-c", "echo up; read line", string(dir)) // waits for standard input, which never comes
	in, err := left.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := left.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := left.Start(); err != nil {
		t.Fatal(err)
	}
	// Start returns at the exec, and the kernel shows the arguments only a moment later.
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	go func() { _ = left.Wait() }()
	writePid(t, dir, "etcd", left.Process.Pid)
	writePid(t, dir, "kwok", os.Getpid()) // a process id that has been used again
	killed, err := dir.ReapStale()
	if err != nil {
		t.Fatal(err)
	}
	if len(killed) != 1 || killed[0] != "etcd" {
		t.Errorf("killed %v", killed)
	}
	if rest, _ := filepath.Glob(dir.Path("run", "*.pid")); len(rest) != 0 {
		t.Errorf("pid files are left: %v", rest)
	}
}

func writePid(t *testing.T, dir Dir, name string, pid int) {
	t.Helper()
	if err := os.WriteFile(dir.Path("run", name+".pid"), []byte(strconv.Itoa(pid)), 0o600); err != nil {
		t.Fatal(err)
	}
}
