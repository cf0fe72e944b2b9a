package charts

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
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
		state := stop(t, cmd, "asleep", signal)
		if !state.Success() {
			t.Errorf("after %s it ended with %v", signal, state)
		}
	}
}
