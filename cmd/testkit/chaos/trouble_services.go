package main

import (
	"context"
	"math/rand/v2"
	"syscall"
	"time"

	"orchestrator/cmd/testkit/chaos/model"
	"orchestrator/cmd/testkit/chaos/rig"
)

// serviceFaults are of what workers need: one at a time, so that the others can be seen to help.
func (t *trouble) serviceFaults() lane {
	return lane{[]fault{
		{"ingest killed", t.killIngest},
		{"redis killed", t.killRedis},
		{"redis paused", t.pauseRedis},
		{"API server stopped", t.stopAPI},
		{"API server killed", t.killAPI},
	}, 4 * time.Second}
}

// between draws a duration. In a short run faults are short too.
func (t *trouble) between(dice *rand.Rand, least, most time.Duration) time.Duration {
	most = max(least, min(most, t.options.faults/6))
	return least + time.Duration(dice.Int64N(int64(most-least)+1))
}

// restore does what ends a fault, even when the time of faults is over.
func (t *trouble) restore(ctx context.Context, what string, start func(context.Context) error) {
	if err := start(context.WithoutCancel(ctx)); err != nil {
		t.find(model.Stuck, what+" starts again", "%v", err)
	}
}

func (t *trouble) killIngest(ctx context.Context, dice *rand.Rand) {
	t.note("ingest killed", nil)
	t.rig.KillIngest()
	rig.Sleep(ctx, t.between(dice, 0, 3*time.Second))
	t.restore(ctx, "ingest", t.rig.StartIngest)
}

func (t *trouble) killRedis(ctx context.Context, dice *rand.Rand) {
	t.note("redis killed", t.rig.Watch.Inside(""))
	t.rig.Watch.RedisAway()
	defer t.rig.Watch.RedisAway()
	t.rig.Redis.Kill()
	rig.Sleep(ctx, t.between(dice, 0, 8*time.Second))
	t.restore(ctx, "redis", t.rig.Redis.Start)
}

// pauseRedis sometimes takes longer than the gate's lease.
func (t *trouble) pauseRedis(ctx context.Context, dice *rand.Rand) {
	most := 8 * time.Second
	if dice.IntN(4) == 0 {
		most = 40 * time.Second
	}
	pause := t.between(dice, 3*time.Second, most)
	t.note("redis paused", t.rig.Watch.Inside(""))
	if pause > 10*time.Second {
		t.rig.Watch.Disturbed("redis")
	}
	t.rig.Watch.RedisAway()
	defer t.rig.Watch.RedisAway()
	t.rig.Redis.Pause(ctx, pause)
	if pause > 10*time.Second {
		t.rig.Watch.Disturbed("redis")
	}
}

func (t *trouble) stopAPI(ctx context.Context, dice *rand.Rand) {
	t.note("API server stopped", t.rig.Watch.Inside(""))
	t.rig.Cluster.SignalAPI(syscall.SIGSTOP)
	rig.Sleep(ctx, t.between(dice, 3*time.Second, 30*time.Second))
	t.rig.Cluster.SignalAPI(syscall.SIGCONT)
	rig.Sleep(ctx, 3*time.Second)
}

func (t *trouble) killAPI(ctx context.Context, _ *rand.Rand) {
	t.note("API server killed", t.rig.Watch.Inside(""))
	t.rig.Cluster.SignalAPI(syscall.SIGKILL)
	rig.Sleep(ctx, 5*time.Second) // it is started again after one
}
