package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"strings"

	"orchestrator/cmd/testkit/bench/figures"
	"orchestrator/cmd/testkit/bench/limit"
	"orchestrator/cmd/testkit/chaos/rig"
)

// limitWay is the process `bench limit`.
type limitWay struct {
	*bench
	process *exec.Cmd
	input   io.WriteCloser
	output  *bufio.Reader
	sent    figures.Counts
}

func (w *limitWay) prepare(ctx context.Context, c *rig.Cluster) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	w.process = exec.CommandContext(ctx, self, "limit", "--kubeconfig", c.Kubeconfig, "-n", fmt.Sprint(w.stores), "-c", fmt.Sprint(callers), "--patience", w.patience.String())
	w.process.Stderr = os.Stderr
	if w.input, err = w.process.StdinPipe(); err != nil {
		return err
	}
	out, err := w.process.StdoutPipe()
	if err != nil {
		return err
	}
	if err := w.process.Start(); err != nil {
		return fmt.Errorf("start the limit: %w", err)
	}
	w.output = bufio.NewReader(out)
	line, err := w.output.ReadString('\n')
	if strings.TrimSpace(line) != "warm" {
		return errors.Join(fmt.Errorf("the limit says %q instead of being warm", line), err)
	}
	return nil
}

// burst ignores n: the process was told how many when it started.
func (w *limitWay) burst(context.Context, int) ([]float64, error) {
	if _, err := io.WriteString(w.input, "begin\n"); err != nil {
		return nil, err
	}
	var result limit.Result
	if err := json.NewDecoder(w.output).Decode(&result); err != nil {
		return nil, fmt.Errorf("the limit has ended without a result: %w", err)
	}
	w.sent = figures.Counts{}
	for kind, n := range result.Requests {
		w.sent[kind] = float64(n)
	}
	return result.Took, nil
}

func (w *limitWay) counters(context.Context) (counters, error) {
	return counters{processes: map[string]usage{"limit": usageOf(w.process.Process.Pid)}, sent: w.sent, redisBytes: math.NaN(), redisCommands: math.NaN()}, nil
}

func (w *limitWay) stop() {
	if w.output == nil {
		return // it was not started
	}
	w.input.Close()
	_ = w.process.Wait() // how it ended was told by what it said
}
