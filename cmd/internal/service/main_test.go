package service

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// The test's own binary is the service when this variable says how it behaves.
const behaviour = "TOY_BEHAVIOUR"

func TestMain(m *testing.M) {
	if how := os.Getenv(behaviour); how != "" {
		os.Exit(Main("toy", "is a test", func(ctx context.Context, _ settings, log *slog.Logger) error { return behave(ctx, how, log) }))
	}
	goleak.VerifyTestMain(m)
}

func behave(ctx context.Context, how string, log *slog.Logger) error {
	switch how {
	case "fails":
		return errors.New("the cluster is unavailable")
	case "stops":
		log.Info("running")
		<-ctx.Done()
		return context.Cause(ctx)
	case "hangs":
		log.Info("running")
		<-ctx.Done()
		log.Info("hanging")
		select {}
	}
	return nil
}

// toy is the service as a process.
func toy(t *testing.T, how string, environment map[string]string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = []string{behaviour + "=" + how, "GORACE=atexit_sleep_ms=0"}
	for name, value := range environment {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	return cmd
}

// result runs the service to its end.
func result(t *testing.T, how string, environment map[string]string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	cmd := toy(t, how, environment, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

func TestMainHandlesArguments(t *testing.T) {
	for _, arg := range []string{"-h", "-help", "--help", "help"} {
		if code, out, _ := result(t, "ends", nil, arg); code != 0 || !strings.HasPrefix(out, "toy: is a test\n") || !strings.Contains(out, "TOY_OPTIONAL") {
			t.Errorf("%s: exit %d, %q", arg, code, out)
		}
	}
	for _, arg := range []string{"-version", "--version", "version"} {
		if code, out, _ := result(t, "ends", nil, arg); code != 0 || !strings.HasPrefix(out, "toy ") {
			t.Errorf("%s: exit %d, %q", arg, code, out)
		}
	}
	if code, _, errs := result(t, "ends", with(), "--port=80"); code != 2 || !strings.Contains(errs, `"--port=80"`) {
		t.Errorf("exit %d, %q", code, errs)
	}
}

func TestMainExitsWithTwoForAMistakeInTheConfiguration(t *testing.T) {
	code, out, errs := result(t, "ends", map[string]string{"TOY_EVERY": "x", "ORCHESTRATOR_TOKEN": "tokenpass"})
	if code != 2 || out != "" || strings.Count(errs, "\n  - ") != 2 || strings.Contains(errs, "tokenpass") {
		t.Errorf("exit %d, %q, %q", code, out, errs)
	}
}

func TestMainExitsWithTheResultOfRun(t *testing.T) {
	for how, want := range map[string]int{"ends": 0, "fails": 1} {
		code, out, _ := result(t, how, with())
		if code != want || (how == "fails") != strings.Contains(out, "the cluster is unavailable") {
			t.Errorf("%s: exit %d, %s", how, code, out)
		}
		if strings.Contains(out, "redispass") || strings.Contains(out, "tokenpass") {
			t.Errorf("%s: a secret is logged:\n%s", how, out)
		}
		for line := range strings.Lines(out) {
			var entry map[string]any
			if json.Unmarshal([]byte(line), &entry) != nil || entry["service"] != "toy" {
				t.Errorf("%s: the line %q is not an entry of this service", how, line)
			}
		}
	}
}

func TestMainLogsAsConfigured(t *testing.T) {
	if _, out, _ := result(t, "ends", with("ORCH_LOG_FORMAT=text")); !strings.Contains(out, "msg=starting") {
		t.Errorf("text: %q", out)
	}
	if _, out, _ := result(t, "ends", with("ORCH_LOG_LEVEL=warn")); out != "" {
		t.Errorf("warnings only: %q", out)
	}
}

func TestMainEndsRunAtTheFirstSignal(t *testing.T) {
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		cmd, log := running(t, "stops")
		signalTo(t, cmd, signal)
		rest, _ := io.ReadAll(log)
		if err := cmd.Wait(); err != nil || !strings.Contains(string(rest), `"stopped"`) {
			t.Errorf("%s: %v, %s", signal, err, rest)
		}
	}
}

func TestMainDiesAtTheSecondSignal(t *testing.T) {
	cmd, log := running(t, "hangs")
	signalTo(t, cmd, syscall.SIGTERM)
	await(t, log, "hanging")
	signalTo(t, cmd, syscall.SIGTERM)
	err := cmd.Wait()
	status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
	if !ok || !status.Signaled() || status.Signal() != syscall.SIGTERM {
		t.Errorf("it ended with %v", err)
	}
}

// running starts the service and waits until it runs. It is killed if it outlives the test.
func running(t *testing.T, how string) (*exec.Cmd, *bufio.Reader) {
	t.Helper()
	cmd := toy(t, how, with())
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // it has ended where the test has passed
	timeout := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
	t.Cleanup(func() { timeout.Stop() })
	log := bufio.NewReader(out)
	await(t, log, "running")
	return cmd, log
}

func await(t *testing.T, log *bufio.Reader, word string) {
	t.Helper()
	for {
		line, err := log.ReadString('\n')
		if strings.Contains(line, word) {
			return
		}
		if err != nil {
			t.Fatalf("the log ended without %q", word)
		}
	}
}

func signalTo(t *testing.T, cmd *exec.Cmd, signal os.Signal) {
	t.Helper()
	if err := cmd.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
}
