package provision_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"orchestrator/provision"
)

// cluster is a cluster in memory that holds one store. It keeps the order of calls, counts writes, fails on request,
// and can crash the run before or after any write.
type cluster struct {
	state

	calls   []string
	writes  int
	secrets int  // passwords made
	retain  bool // what deletes say of the data

	verifiedAs provision.Shop // by the last verification
	passed     []provision.RestoreTest

	fail    map[string]error                       // by call
	hold    map[string]func(context.Context) error // by call: what happens instead
	crashAt int                                    // the point at which the run ends without a trace; 0: never
	points  int
}

// state is what a crash leaves.
type state struct {
	Namespace *namespace
	Release   string // the values that were applied
	Volumes   int
}

type namespace struct {
	Generation     int64
	Claimed        bool // a delete began
	Retained       bool // and leaves the data
	VerifiedBefore bool // the shop has passed its check
	Applied        map[int64]time.Time
	Secret         map[string]string
	Rotated        int64 // the newest request for other credentials that was done
	Restored       int64 // the last restore that was done, by its generation
	RestoredAt     time.Time
}

// crash is what a run that was killed ends with.
type crash struct{ point int }

func (c *cluster) call(ctx context.Context, name string) error {
	c.calls = append(c.calls, name)
	if hold := c.hold[name]; hold != nil {
		return hold(ctx)
	}
	return c.fail[name]
}

func (c *cluster) write(change func()) {
	c.point()
	change()
	c.writes++
	c.point()
}

func (c *cluster) point() {
	if c.points++; c.points == c.crashAt {
		panic(crash{c.points})
	}
}

// restart is the worker's next life on the same cluster.
func (c *cluster) restart() { c.calls, c.points, c.crashAt, c.writes = nil, 0, 0, 0 }

type namespaces struct{ *cluster }

func (c namespaces) Ensure(ctx context.Context, s provision.Store) (bool, error) {
	if err := c.call(ctx, "namespace.Ensure"); err != nil {
		return false, err
	}
	switch ns := c.Namespace; {
	case ns == nil:
		c.write(func() {
			c.Namespace = &namespace{Generation: s.Generation, Secret: map[string]string{}, Applied: map[int64]time.Time{}}
		})
	case ns.Generation > s.Generation:
		return false, provision.Errorf(provision.CodeSuperseded, "newer")
	case ns.Claimed && !ns.Retained:
		return true, nil
	case ns.Generation < s.Generation || ns.Claimed:
		c.write(func() { ns.Generation, ns.Claimed, ns.Retained = s.Generation, false, false })
	}
	return false, nil
}

func (c namespaces) MarkDeleting(ctx context.Context, _ provision.Op, s provision.Store) ([]provision.Store, error) {
	if err := c.call(ctx, "namespace.MarkDeleting"); err != nil || c.Namespace == nil {
		return nil, err
	}
	if !c.Namespace.Claimed || c.Namespace.Generation != s.Generation {
		c.write(func() {
			c.Namespace.Claimed, c.Namespace.Retained, c.Namespace.Generation = true, s.RetainData, s.Generation
		})
	}
	return []provision.Store{s}, nil
}

func (c namespaces) Remove(ctx context.Context, _ provision.Store) error {
	if err := c.call(ctx, "namespace.Remove"); err != nil || c.Namespace == nil {
		return err
	}
	c.write(func() { c.Namespace = nil })
	return nil
}

type credentials struct{ *cluster }

func (c credentials) Ensure(ctx context.Context, _ provision.Store, wanted []provision.Credential) error {
	if err := c.call(ctx, "credentials.Ensure"); err != nil {
		return err
	}
	for _, w := range wanted {
		if c.Namespace.Secret[w.Key] == "" {
			c.write(func() { c.secrets++; c.Namespace.Secret[w.Key] = fmt.Sprintf("made-%d", c.secrets) })
		}
	}
	return nil
}

// rotator counts the rotations of the store.
type rotator struct{ *cluster }

func (c rotator) Due(ctx context.Context, s provision.Store) (bool, error) {
	return c.Namespace.Rotated < s.Rotation, c.call(ctx, "rotation.Due")
}

func (c rotator) Rotate(ctx context.Context, s provision.Store, r provision.Release, deadline time.Time) error {
	if r.Chart != "toy" || !deadline.Equal(c.Namespace.Applied[c.Namespace.Generation].Add(budget)) {
		return fmt.Errorf("the release is %q and the deadline %s", r.Chart, deadline)
	}
	if err := c.call(ctx, "rotation.Rotate"); err != nil {
		return err
	}
	c.write(func() { c.Namespace.Rotated = s.Rotation })
	return nil
}

// restorer restores a store of which nothing runs but its database.
type restorer struct{ *cluster }

func (c restorer) Restored(ctx context.Context, s provision.Store, _ provision.Release) (time.Time, error) {
	if err := c.call(ctx, "restore.Restored"); err != nil || c.Namespace.Restored != s.Restore.Generation {
		return time.Time{}, err
	}
	return c.Namespace.RestoredAt, nil
}

func (c restorer) Restore(ctx context.Context, s provision.Store, r provision.Release, deadline time.Time) error {
	if !s.Restoring || c.Release != fmt.Sprint(r.Chart, r.Values) || !deadline.Equal(time.Now().Add(provision.RestoreTimeout)) {
		return fmt.Errorf("restoring %t; the release is %q; the deadline is %s", s.Restoring, c.Release, deadline)
	}
	if err := c.call(ctx, "restore.Restore"); err != nil {
		return err
	}
	c.write(func() { c.Namespace.Restored, c.Namespace.RestoredAt = s.Restore.Generation, time.Now() })
	return nil
}

func (c restorer) Passed(_ context.Context, _ provision.Store, t provision.RestoreTest) {
	c.cluster.passed = append(c.cluster.passed, t)
}

type releases struct{ *cluster }

func (c releases) Apply(ctx context.Context, s provision.Store, r provision.Release) (provision.Applied, error) {
	if err := c.call(ctx, "release.Apply"); err != nil {
		return provision.Applied{}, err
	}
	if values := fmt.Sprint(r.Chart, r.Values); c.Release != values {
		c.write(func() { c.Release, c.Volumes = values, 2 })
	}
	if _, known := c.Namespace.Applied[s.Generation]; !known {
		c.write(func() { c.Namespace.Applied[s.Generation] = time.Now() })
	}
	return provision.Applied{At: c.Namespace.Applied[s.Generation]}, nil
}

func (c releases) Remove(ctx context.Context, _ provision.Store) error {
	if err := c.call(ctx, "release.Remove"); err != nil || c.Release == "" {
		return err
	}
	c.write(func() { c.Release = "" })
	return nil
}

type readiness struct{ *cluster }

func (c readiness) Wait(ctx context.Context, _ provision.Store, deadline time.Time) error {
	since := c.Namespace.Applied[c.Namespace.Generation]
	if c.Namespace.RestoredAt.After(since) {
		since = c.Namespace.RestoredAt
	}
	if !deadline.Equal(since.Add(budget)) {
		return fmt.Errorf("the deadline is %s", deadline)
	}
	return c.call(ctx, "ready.Wait")
}

type volumes struct{ *cluster }

func (c volumes) Remove(ctx context.Context, _ provision.Store) error {
	if err := c.call(ctx, "volumes.Remove"); err != nil {
		return err
	}
	for c.Volumes > 0 {
		c.write(func() { c.Volumes-- })
	}
	return nil
}

func (c volumes) Detach(ctx context.Context, _ provision.Store) error {
	return c.call(ctx, "volumes.Detach")
}

// shops opens the way to a shop; verify of the engine below goes through it.
type shops struct{ *cluster }

func (c shops) Open(ctx context.Context, _ provision.Store) (provision.Shop, func(), error) {
	err := c.call(ctx, "shop.Open")
	return provision.Shop{VerifiedBefore: c.Namespace.VerifiedBefore}, func() { c.calls = append(c.calls, "shop.close") }, err
}

func (c shops) SaveVerification(ctx context.Context, _ provision.Store, _ provision.Outputs) error {
	if err := c.call(ctx, "shop.SaveVerification"); err != nil || c.Namespace.VerifiedBefore {
		return err
	}
	c.write(func() { c.Namespace.VerifiedBefore = true })
	return nil
}

// engine installs the store's title.
type engine struct {
	*cluster
	refuses error
}

func (e engine) Release(s provision.Store) (provision.Release, error) {
	return provision.Release{Chart: "toy", Values: map[string]any{"title": s.Settings.Title, "stopped": s.Restoring},
		Credentials: []provision.Credential{{Key: provision.AdminPassword}, {Key: "database-password"}}}, e.refuses
}

func (e engine) Verify(ctx context.Context, _ provision.Store, shop provision.Shop) (provision.Outputs, error) {
	e.verifiedAs = shop
	return provision.Outputs{"key": "open to all"}, e.call(ctx, "shop.Verify")
}

func (e engine) VerifyPublic(ctx context.Context, _ provision.Store, shop provision.Shop) error {
	if shop.Credential != nil {
		return errors.New("a visitor has no credentials")
	}
	return e.call(ctx, "shop.VerifyPublic")
}

const (
	budget        = 5 * time.Minute
	deleteTimeout = 10 * time.Minute
)

func (c *cluster) runner() *provision.Runner {
	return &provision.Runner{
		Namespaces: namespaces{c}, Credentials: credentials{c}, Releases: releases{c}, Readiness: readiness{c}, Volumes: volumes{c}, Shops: shops{c}, Rotator: rotator{c}, Restorer: restorer{c},
		Engines: map[string]provision.Engine{"toy": engine{cluster: c}}, ReadinessTimeout: budget, DeleteTimeout: deleteTimeout,
	}
}

// run carries op out and returns the journal. It may crash.
func (c *cluster) run(ctx context.Context, op provision.Op, generation int64) (journal, error) {
	var j journal
	s := store(generation)
	s.RetainData = op == provision.OpDelete && c.retain
	err := c.runner().Run(ctx, op, s, func(s provision.Step) { j = append(j, s) })
	return j, err
}

func store(generation int64) provision.Store {
	return provision.Store{Generation: generation, Request: provision.Request{StoreID: "s", Name: "shop", Engine: "toy", Namespace: "ns",
		Action: provision.OpProvision, Settings: provision.Settings{Title: "A shop"}}}
}

type journal []provision.Step

// entries are the journal in words: "release done".
func (j journal) entries() []string {
	var out []string
	for _, s := range j {
		out = append(out, s.Name+" "+string(s.State))
	}
	return out
}

func (j journal) last() provision.Step { return j[len(j)-1] }

// called reports how often a call was made.
func (c *cluster) called(name string) int {
	n := 0
	for _, call := range c.calls {
		if call == name {
			n++
		}
	}
	return n
}

// reached is whether any of the calls was made.
func (c *cluster) reached(names ...string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return c.called(n) > 0 })
}
