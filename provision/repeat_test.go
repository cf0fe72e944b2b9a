package provision_test

import (
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"orchestrator/provision"
)

func TestAnEqualRunChangesNothing(t *testing.T) {
	c := &cluster{}
	for i := range 3 {
		if _, err := c.run(t.Context(), provision.OpProvision, 1); err != nil {
			t.Fatal(err)
		}
		if i > 0 && c.writes != 0 {
			t.Errorf("run %d wrote %d times", i+1, c.writes)
		}
		c.restart()
	}
	if c.secrets != 2 {
		t.Errorf("%d credentials were made, want each once", c.secrets)
	}
}

func TestANewGenerationOfAnEqualStoreChangesOnlyItsMarks(t *testing.T) {
	c := &cluster{}
	for generation := range int64(3) {
		c.restart()
		if _, err := c.run(t.Context(), provision.OpProvision, 1+generation); err != nil {
			t.Fatal(err)
		}
	}
	if c.writes != 2 || c.secrets != 2 { // the generation, and when its release was applied
		t.Errorf("%d writes and %d credentials", c.writes, c.secrets)
	}
}

// crashed runs until the point and reports whether the run came that far.
func (c *cluster) crashed(t *testing.T, op provision.Op, generation int64, point int) (crashed bool) {
	defer func() {
		if x := recover(); x != nil {
			if _, ours := x.(crash); !ours {
				panic(x)
			}
			crashed = true
		}
	}()
	c.restart()
	c.crashAt = point
	if _, err := c.run(t.Context(), op, generation); err != nil {
		t.Fatal(err)
	}
	return false
}

// A run that died anywhere is made good by the next one, with the same end and no second password.
func TestACrashAnywhereIsMadeGood(t *testing.T) {
	for name, scene := range map[string]struct {
		before func(*testing.T, *cluster)
		op     provision.Op
		made   int // credentials, over all runs
	}{
		"provision from nothing": {func(*testing.T, *cluster) {}, provision.OpProvision, 2},
		"provision once more":    {exists, provision.OpProvision, 2},
		"provision after an unfinished delete": {func(t *testing.T, c *cluster) {
			exists(t, c)
			c.Namespace.Claimed = true
		}, provision.OpProvision, 4}, // a deleted store's password is not the next one's
		"delete":                         {exists, provision.OpDelete, 2},
		"provision of what was retained": {isRetained, provision.OpProvision, 2},
		"provision after an unfinished retaining delete": {func(t *testing.T, c *cluster) {
			exists(t, c)
			c.Namespace.Claimed, c.Namespace.Retained = true, true
		}, provision.OpProvision, 2},
		"delete that retains the data": {func(t *testing.T, c *cluster) { exists(t, c); c.retain = true }, provision.OpDelete, 2},
		"delete of what was retained":  {isRetained, provision.OpDelete, 2},
		"delete of nothing":            {func(*testing.T, *cluster) {}, provision.OpDelete, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				whole := &cluster{}
				scene.before(t, whole)
				whole.crashed(t, scene.op, 2, 0)
				last := 0
				for point := 1; ; point++ {
					c := &cluster{}
					scene.before(t, c)
					if !c.crashed(t, scene.op, 2, point) {
						break
					}
					last = point
					c.crashed(t, scene.op, 2, 0)
					where := fmt.Sprintf("crash at point %d", point)
					if diff := cmp.Diff(whole.state, c.state); diff != "" {
						t.Errorf("%s: the end differs (-without crash +with):\n%s", where, diff)
					}
					if c.secrets != scene.made {
						t.Errorf("%s: %d credentials were made, want %d", where, c.secrets, scene.made)
					}
				}
				if last != whole.points {
					t.Errorf("%d of %d points were tried", last, whole.points)
				}
			})
		})
	}
}

func exists(t *testing.T, c *cluster) {
	t.Helper()
	if _, err := c.run(t.Context(), provision.OpProvision, 1); err != nil {
		t.Fatal(err)
	}
}

// isRetained leaves a store that was deleted without its data.
func isRetained(t *testing.T, c *cluster) {
	t.Helper()
	exists(t, c)
	c.retain = true
	if _, err := c.run(t.Context(), provision.OpDelete, 1); err != nil {
		t.Fatal(err)
	}
	c.retain = false
}
