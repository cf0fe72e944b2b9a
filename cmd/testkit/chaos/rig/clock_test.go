package rig

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestShiftClock(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "logs"), 0o700); err != nil {
		t.Fatal(err)
	}
	r, err := StartRedis(context.Background(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Kill()
	for _, by := range []time.Duration{0, 4 * time.Second, -4 * time.Second, 0} {
		if err := r.ShiftClock(by); err != nil {
			t.Fatal(err)
		}
		before := time.Now()
		now, err := r.Client.Time(context.Background()).Result()
		if after := time.Now(); err != nil || now.Before(before.Add(by-time.Millisecond)) || now.After(after.Add(by)) {
			t.Errorf("shifted by %s, Redis takes %s for %s (%v)", by, before, now, err)
		}
	}
}
