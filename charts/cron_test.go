package charts

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// A container is told to end by the signal that its image names: SIGWINCH in Apache's images, which ends nothing that does
// not listen to it. A pod that waits for such a container keeps its volume from the next one until it is killed.
func TestCronEndsAtOnce(t *testing.T) {
	bin := t.TempDir()
	for name, script := range map[string]string{"sleep": "#!/bin/sh\necho asleep\nexec /bin/sleep 60\n", "curl": "#!/bin/sh\nexit 22\n"} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte(script), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGWINCH} {
		cmd := exec.CommandContext(t.Context(), "sh", "store/woocommerce/bootstrap/cron.sh")
		cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "STORE_HOST=shop.example.com", "STORE_SCHEME=https")
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		asleep := bufio.NewReader(out)
		if _, err := asleep.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Process.Signal(signal)
		tooLate := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
		state, err := cmd.Process.Wait()
		tooLate.Stop()
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // what it has left asleep
		if err != nil || !state.Success() {
			t.Errorf("after %s it ended with %v, %v", signal, state, err)
		}
	}
}
