package supervise

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

func TestChildrenDieWithAKilledParent(t *testing.T) {
	dir := t.TempDir()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	parent := exec.Command(exe)
	parent.Env = []string{"FAKE=parent", "DIR=" + dir}
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	_, _ = out.Read(make([]byte, 1)) // "started", or the end of a parent that failed
	child := pidOf(t, fakeIn(dir, "serve"))
	_ = parent.Process.Kill()
	_ = parent.Wait()
	for end := time.Now().Add(limit); alive(child); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("child %d outlives its parent", child)
		}
	}
}

// alive is false for a zombie too: who reaps it is init's affair.
func alive(pid int) bool {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(data), ") ")
	return !strings.HasPrefix(rest, "Z") && !strings.HasPrefix(rest, "X")
}
