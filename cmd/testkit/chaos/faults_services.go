package main

import (
	"context"
	"math/rand/v2"
	"syscall"
	"time"

	"orchestrator/cmd/testkit/chaos/model"
	"orchestrator/cmd/testkit/chaos/rig"
)

const shifted = "redis clock shifted"

// serviceFaults hit what workers depend on, one at a time, so that retries against the others can succeed.
func (inj *injector) serviceFaults() schedule {
	return schedule{[]fault{
		{"ingest killed", inj.killIngest},
		{"redis killed", inj.killRedis},
		{"redis paused", inj.pauseRedis},
		{shifted, inj.shiftClock},
		{"API server stopped", inj.stopAPI},
		{"API server killed", inj.killAPI},
	}, 4 * time.Second}
}

// between picks a random duration. In a short chaos run the faults are short too.
func (inj *injector) between(dice *rand.Rand, least, most time.Duration) time.Duration {
	most = max(least, min(most, inj.options.faults/6))
	return least + time.Duration(dice.Int64N(int64(most-least)+1))
}

// restore starts again what a fault ended, also when fault injection is over.
func (inj *injector) restore(ctx context.Context, what string, start func(context.Context) error) {
	if err := start(context.WithoutCancel(ctx)); err != nil {
		inj.find(model.Stuck, what+" can be started again", "%v", err)
	}
}

func (inj *injector) killIngest(ctx context.Context, dice *rand.Rand) {
	inj.note("ingest killed", nil)
	inj.rig.KillIngest()
	rig.Sleep(ctx, inj.between(dice, 0, 3*time.Second))
	inj.restore(ctx, "ingest", inj.rig.StartIngest)
}

func (inj *injector) killRedis(ctx context.Context, dice *rand.Rand) {
	inj.note("redis killed", inj.rig.Watch.Running(""))
	inj.rig.Watch.RedisAway()
	defer inj.rig.Watch.RedisAway()
	inj.rig.Redis.Kill()
	rig.Sleep(ctx, inj.between(dice, 0, 8*time.Second))
	inj.restore(ctx, "redis", inj.rig.Redis.Start)
}

// pauseRedis sometimes pauses for longer than a store's lease.
func (inj *injector) pauseRedis(ctx context.Context, dice *rand.Rand) {
	most := 8 * time.Second
	if dice.IntN(4) == 0 {
		most = 40 * time.Second
	}
	pause := inj.between(dice, 3*time.Second, most)
	inj.note("redis paused", inj.rig.Watch.Running(""))
	if pause > 10*time.Second {
		inj.rig.Watch.Disturbed("redis")
	}
	inj.rig.Watch.RedisAway()
	defer inj.rig.Watch.RedisAway()
	inj.rig.Redis.Pause(ctx, pause)
	if pause > 10*time.Second {
		inj.rig.Watch.Disturbed("redis")
	}
}

// maxShift is less than what lies between the end of a run's writes, by its worker's clock, and the end of its lease, by Redis'.
const maxShift = 4 * time.Second

// shiftClock sets Redis' clock forward or back, and right again.
func (inj *injector) shiftClock(ctx context.Context, dice *rand.Rand) {
	by := time.Second + time.Duration(dice.Int64N(int64(maxShift-time.Second)))
	if dice.IntN(2) == 0 {
		by = -by
	}
	inj.note(shifted, inj.rig.Watch.Running(""))
	inj.shift(by)
	rig.Sleep(ctx, inj.between(dice, 3*time.Second, 20*time.Second))
	inj.shift(0)
}

func (inj *injector) shift(by time.Duration) {
	if err := inj.rig.Redis.ShiftClock(by); err != nil {
		inj.find(model.Stuck, "Redis' clock can be set", "%v", err)
	}
}

func (inj *injector) stopAPI(ctx context.Context, dice *rand.Rand) {
	inj.note("API server stopped", inj.rig.Watch.Running(""))
	cluster := inj.cluster(dice)
	cluster.SignalAPI(syscall.SIGSTOP)
	rig.Sleep(ctx, inj.between(dice, 3*time.Second, 30*time.Second))
	cluster.SignalAPI(syscall.SIGCONT)
	rig.Sleep(ctx, 3*time.Second)
}

func (inj *injector) cluster(dice *rand.Rand) *rig.Cluster {
	return inj.rig.Clusters[dice.IntN(len(inj.rig.Clusters))]
}

func (inj *injector) killAPI(ctx context.Context, dice *rand.Rand) {
	inj.note("API server killed", inj.rig.Watch.Running(""))
	inj.cluster(dice).SignalAPI(syscall.SIGKILL)
	rig.Sleep(ctx, 5*time.Second) // the cluster restarts it after one second
}
