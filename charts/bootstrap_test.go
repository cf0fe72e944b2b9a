package charts

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// stop starts a bootstrap, waits for a line that contains a text, sends it a signal, and returns how it ended.
func stop(t *testing.T, cmd *exec.Cmd, line string, signal syscall.Signal) *os.ProcessState {
	t.Helper()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	cmd.Stdout, cmd.Stderr = write, write
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	write.Close()
	for lines := bufio.NewScanner(read); lines.Scan() && !strings.Contains(lines.Text(), line); {
		t.Log(lines.Text())
	}
	_ = cmd.Process.Signal(signal)
	tooLate := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
	state, err := cmd.Process.Wait()
	tooLate.Stop()
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // what it has left: in a container that ends with it
	if err != nil {
		t.Fatal(err)
	}
	return state
}

// A delete in the middle of a bootstrap waited for the grace period, and then for a kill.
func TestBootstrapsStopAtOnce(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGWINCH} {
		cmd := exec.CommandContext(t.Context(), "sh", "store/woocommerce/bootstrap/stoppable.sh", "sh", "-c", `trap "" TERM WINCH; echo at work; sleep 60`)
		if state := stop(t, cmd, "at work", signal); state.ExitCode() != 143 {
			t.Errorf("woocommerce's: after %s it ended with %v", signal, state)
		}
	}
	state := stop(t, medusaBootstrap(t), "does not take us yet", syscall.SIGTERM)
	if state.ExitCode() != 143 {
		t.Errorf("medusa's: after SIGTERM it ended with %v", state)
	}
}

// medusaBootstrap waits for a Valkey that is not there, in a folder with a stand-in for the module that it needs.
func medusaBootstrap(t *testing.T) *exec.Cmd {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	script, err := filepath.Abs("store/medusa/bootstrap/start.js")
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	module := filepath.Join(folder, "node_modules", "pg")
	if err := os.MkdirAll(module, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(module, "index.js"), []byte("exports.Client = class {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "node", script)
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "REDIS_URL="+(&url.URL{Scheme: "redis", Host: address}).String(), "DATABASE_URL=postgres://x@127.0.0.1:1/x")
	return cmd
}

func TestStoppablePassesTheExitCodeOn(t *testing.T) {
	for command, want := range map[string]int{"exit 0": 0, "exit 7": 7, "kill -9 $$": 137} {
		cmd := exec.CommandContext(t.Context(), "sh", "store/woocommerce/bootstrap/stoppable.sh", "sh", "-c", command)
		if err := cmd.Run(); cmd.ProcessState.ExitCode() != want {
			t.Errorf("%s: exit code %d, want %d (%v)", command, cmd.ProcessState.ExitCode(), want, err)
		}
	}
}

// fakeWP is wp of an installed shop, with a plugin of its owner's that ends every command which loads it.
const fakeWP = `#!/bin/sh
echo "$*" >>"$CALLS"
case "$*" in
*"core is-installed"*) exit 0 ;;
*"plugin is-installed"*) exit 0 ;;
*"--skip-plugins --skip-themes") echo 11.2.0; exit 0 ;;
esac
if [ "$BOOTSTRAP_INSTALLED" = yes ]; then
	case "$*" in
	*"eval-file"*"--skip-themes --skip-plugins=dies,other") exit 0 ;;
	*) echo "PHP Fatal error: Allowed memory size exhausted" >&2; exit 255 ;;
	esac
else
	case "$*" in *"is-active"*) exit 1 ;; esac
fi
`

// A plugin that dies under wp kept the shop's set-up, and so the shop and the dashboard where it could be removed, down.
func TestAPluginThatDiesKeepsNoShopClosed(t *testing.T) {
	const evaluate = "eval-file BOOTSTRAP/bootstrap.php"
	for name, a := range map[string]struct {
		installed string
		code      bool // WooCommerce's is there
		want      string
	}{
		"installed": {"yes", true, evaluate + " --skip-themes --skip-plugins=dies,other\n"},
		"its code was lost": {"yes", false, "option get woocommerce_version --skip-plugins --skip-themes\n" +
			"plugin install woocommerce --version=11.2.0 --force --skip-plugins --skip-themes\n" + evaluate + " --skip-themes --skip-plugins=dies,other\n"},
		"new": {"no", true, "core is-installed\nplugin is-installed woocommerce\nplugin is-active woocommerce\nplugin activate woocommerce --quiet\n" + evaluate + "\n"},
	} {
		t.Run(name, func(t *testing.T) {
			calls, err := bootstrapCalls(t, a.installed, a.code)
			if err != nil || calls != a.want {
				t.Errorf("%v\ncalls:\n%s\nwant:\n%s", err, calls, a.want)
			}
		})
	}
}

// bootstrapCalls runs bootstrap.sh in a folder of WordPress, with or without WooCommerce's code, and returns how it calls wp.
func bootstrapCalls(t *testing.T, installed string, code bool) (calls string, err error) {
	t.Helper()
	bin, folder := t.TempDir(), t.TempDir()
	write := func(file, text string) {
		t.Helper()
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, []byte(text), 0o700)); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(bin, "wp"), fakeWP)
	if code {
		write(filepath.Join(folder, "wp-content/plugins/woocommerce/woocommerce.php"), "<?php\n")
	}
	scripts, err := filepath.Abs("store/woocommerce/bootstrap")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "sh", filepath.Join(scripts, "bootstrap.sh"))
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "CALLS="+filepath.Join(bin, "calls"), "BOOTSTRAP_INSTALLED="+installed, "BOOTSTRAP_PLUGINS=dies,other")
	if out, failed := cmd.CombinedOutput(); failed != nil {
		err = fmt.Errorf("%w: %s", failed, out)
	}
	got, _ := os.ReadFile(filepath.Join(bin, "calls"))
	return strings.ReplaceAll(string(got), scripts, "BOOTSTRAP"), err
}
