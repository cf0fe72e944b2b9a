package rig

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	_ "embed"
)

// shiftSource is loaded into redis-server. libfaketime would do the same, but does not start beside the allocator of redis-server.
//
//go:embed clock/shift.c
var shiftSource []byte

// clock is what a redis-server of a rig takes for the time.
type clock struct{ library, file string }

// newClock compiles the library, in dir. The clock is right at first.
func newClock(ctx context.Context, dir string) (clock, error) {
	c := clock{filepath.Join(dir, "clock.so"), filepath.Join(dir, "clock")}
	source := filepath.Join(dir, "clock.c")
	if err := os.WriteFile(source, shiftSource, 0o600); err != nil {
		return c, err
	}
	if out, err := exec.CommandContext(ctx, "cc", "-shared", "-fPIC", "-O1", "-o", c.library, source).CombinedOutput(); err != nil {
		return c, fmt.Errorf("compile the clock of redis-server (a C compiler is needed): %w: %s", err, out)
	}
	return c, c.shift(0)
}

func (c clock) env() []string { return []string{"LD_PRELOAD=" + c.library, "CLOCK_SHIFT=" + c.file} }

// shift sets by how much the clock is wrong, at once. It writes the file in place: the server has mapped it.
func (c clock) shift(by time.Duration) error {
	f, err := os.OpenFile(c.file, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteAt(binary.NativeEndian.AppendUint64(nil, uint64(by.Microseconds())), 0)
	return err
}
