package worker

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"orchestrator/provision"
	"orchestrator/worker/queue"
)

// Cluster is one cluster that a worker serves. All fields but Name are required.
type Cluster struct {
	// Name is "" where the installation names no clusters: this is the only one.
	Name      string
	Runner    Runner
	Passwords Passwords
	Memory    Memory
	Check     func(context.Context) error // returns nil when the API server answers
}

// id is the cluster's name in tasks and calls.
func (c Cluster) id() string {
	if c.Name == provision.DefaultCluster {
		return ""
	}
	return c.Name
}

// log names the cluster in each line, where there are several.
func (c Cluster) log(log *slog.Logger) *slog.Logger {
	if c.Name == "" {
		return log
	}
	return log.With("cluster", c.Name)
}

func validate(clusters []Cluster) error {
	if len(clusters) == 0 {
		return errors.New("a worker needs a cluster")
	}
	seen := map[string]bool{}
	for _, c := range clusters {
		if seen[c.id()] {
			return fmt.Errorf("cluster %q is given twice", c.Name)
		}
		seen[c.id()] = true
	}
	return nil
}

// anyAnswers returns nil as soon as one of the clusters answers, and what is wrong with each when none does.
func anyAnswers(ctx context.Context, clusters []Cluster) error {
	answers := make(chan error, len(clusters))
	for _, c := range clusters {
		go func() {
			err := c.Check(ctx)
			if err != nil && c.Name != "" {
				err = fmt.Errorf("cluster %s: %w", c.Name, err)
			}
			answers <- err
		}()
	}
	var errs []error
	for range clusters {
		err := <-answers
		if err == nil {
			return nil
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

const (
	lookoutEvery = 15 * time.Second
	lookoutWait  = 5 * time.Second
)

// lookout tells whether a cluster can be reached: the metric, the log when it changes, and the records, so that new stores
// go elsewhere for as long.
type lookout struct {
	cluster Cluster
	records interface {
		Reached(ctx context.Context, cluster string) error
	}
	up   prometheus.Gauge
	log  *slog.Logger
	away bool
}

// run asks until ctx ends.
func (l *lookout) run(ctx context.Context) {
	tick := time.NewTicker(lookoutEvery)
	defer tick.Stop()
	for {
		l.ask(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (l *lookout) ask(ctx context.Context) {
	asked, cancel := context.WithTimeout(ctx, lookoutWait)
	err := l.cluster.Check(asked)
	cancel()
	if ctx.Err() != nil {
		return
	}
	switch {
	case err != nil && !l.away:
		l.log.Warn("the cluster cannot be reached; its stores wait for it", "error", err)
	case err == nil && l.away:
		l.log.Info("the cluster can be reached again")
	}
	l.away = err != nil
	if l.away {
		l.up.Set(0)
		return
	}
	l.up.Set(1)
	if l.cluster.Name == "" {
		return // there is nothing to choose
	}
	ctx, cancel = context.WithTimeout(ctx, redisWait)
	defer cancel()
	if err := l.records.Reached(ctx, l.cluster.id()); err != nil {
		l.log.Debug("it was not noted that the cluster can be reached", "error", err)
	}
}

// oneOf are the records as the rebuilder of one of several clusters sees them: it can speak for its own only.
type oneOf struct {
	*queue.Records
	cluster string
}

func (o oneOf) Whole(ctx context.Context) (bool, error) { return o.WholeOf(ctx, o.cluster) }
func (o oneOf) Mark(ctx context.Context) error          { return o.Surveyed(ctx, o.cluster) }

// surveyor lets one worker at a time compare the cluster: whoever did it last, while it lives.
func surveyor(records *queue.Records, cluster string) func(context.Context) (bool, error) {
	token := cmp.Or(cluster, provision.DefaultCluster) + " " + rand.Text()
	return func(ctx context.Context) (bool, error) {
		return records.LeadSurvey(ctx, cluster, token, 2*surveyEvery)
	}
}
