package workerapp

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"orchestrator/cmd/internal/service"
	"orchestrator/provision"
	"orchestrator/provision/cluster"
	"orchestrator/provision/cluster/helm"
	"orchestrator/provision/engine"
	"orchestrator/worker/callback"
	"orchestrator/worker/record"
	"orchestrator/worker/redisconn"
)

// preflightTimeout is how long one subject may take to answer.
const preflightTimeout = 15 * time.Second

// Preflight looks at everything that would make the first store fail: Redis, the charts with the installation's values, the clusters and the backend. It
// changes nothing in the clusters, unless write has them take a store on trial ([cluster.Cluster.Try]), and sends no callback.
func Preflight(ctx context.Context, common service.Common, c Config, write bool, log *slog.Logger) []provision.Check {
	all := checkRedis(ctx, common)
	if c.Installation == "" && !c.Mock {
		all = append(all, provision.Warned("redis", "set ORCH_INSTALLATION to a name of your own",
			"the name of this installation is a random one in Redis: after a loss of its data the stores are not recognized"))
	}
	installed, err := c.charts()
	if err != nil {
		all = append(all, provision.FailedCheck("charts", "correct the values", "they do not render: %v", err))
	} else if !c.Mock {
		all = append(all, provision.Checked("charts", "those of %s render with the values of %s", strings.Join(engine.Names(), ", "), c.AppEnv))
		all = append(all, checkClusters(ctx, common, c, installed, write, log)...)
	}
	return append(all, checkBackend(ctx, c))
}

// warnings collects what a check logs as a warning.
type warnings struct {
	slog.Handler
	texts *[]string
}

func (w warnings) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }
func (w warnings) WithAttrs([]slog.Attr) slog.Handler               { return w }
func (w warnings) WithGroup(string) slog.Handler                    { return w }
func (w warnings) Handle(_ context.Context, r slog.Record) error {
	*w.texts = append(*w.texts, r.Message)
	return nil
}

func checkRedis(ctx context.Context, common service.Common) []provision.Check {
	ctx, cancel := context.WithTimeout(ctx, preflightTimeout)
	defer cancel()
	client, err := common.Connect(redisconn.FailFast)
	if err != nil {
		return []provision.Check{provision.FailedCheck("redis", "correct REDIS_URL", "%v", err)}
	}
	defer client.Close()
	start := time.Now()
	clock, err := client.Time(ctx).Result()
	took := time.Since(start)
	if err != nil {
		return []provision.Check{provision.FailedCheck("redis", "check REDIS_URL, the network, and that Redis runs and takes this user", "%v", redisconn.WrapError(err))}
	}
	all := []provision.Check{provision.Checked("redis", "it answers after %s", took.Round(time.Millisecond))}
	if off := clock.Sub(start.Add(took / 2)).Abs(); off > 5*time.Second {
		all = append(all, provision.Warned("redis", "set both clocks by NTP", "its clock and that of this machine differ by %s; times that are shown are wrong", off.Round(time.Second)))
	}
	return append(append(all, checkAccess(ctx, client)), checkDurability(ctx, client)...)
}

func checkAccess(ctx context.Context, client redis.UniversalClient) provision.Check {
	if err := record.CheckAccess(ctx, client); err != nil {
		rules := strings.Split(err.Error(), "\n")
		return provision.FailedCheck("redis", "add to the ACL rules of the user: "+strings.Join(rules[1:], "; "), "its user lacks rights")
	}
	return provision.Checked("redis", "its user has the rights that are needed")
}

func checkDurability(ctx context.Context, client redis.UniversalClient) (all []provision.Check) {
	var texts []string
	if err := redisconn.CheckDurability(ctx, client, slog.New(warnings{texts: &texts})); err != nil {
		return []provision.Check{provision.FailedCheck("redis", "update Redis", "%v", err)}
	}
	for _, text := range texts {
		what, remedy, _ := strings.Cut(text, "; ")
		all = append(all, provision.Warned("redis", remedy, "%s", what))
	}
	if len(texts) == 0 {
		all = append(all, provision.Checked("redis", "it keeps what it is given, as far as it tells"))
	}
	return all
}

func checkClusters(ctx context.Context, common service.Common, c Config, installed helm.Charts, write bool, log *slog.Logger) (all []provision.Check) {
	needs, err := needsOf(installed)
	if err != nil {
		return []provision.Check{provision.FailedCheck("charts", "correct the values", "%v", err)}
	}
	records, err := common.Connect(redisconn.FailFast)
	if err != nil {
		return []provision.Check{provision.FailedCheck("redis", "correct REDIS_URL", "%v", err)}
	}
	defer records.Close()
	for _, one := range served(common, c) {
		subject := c.nameOf(one)
		k, err := connectCluster(one, c, installed, c.installation(records), nil, log)
		if err != nil {
			all = append(all, provision.FailedCheck(subject, "correct the variable", "%v", err))
			continue
		}
		limited, cancel := context.WithTimeout(ctx, preflightTimeout)
		all = append(all, k.Preflight(limited, subject, needs)...)
		cancel()
		if write {
			all = append(all, try(ctx, k, subject)...)
		}
	}
	return all
}

// try has a cluster take a store of each engine on trial.
func try(ctx context.Context, k *cluster.Cluster, subject string) []provision.Check {
	releases, err := sampleReleases()
	if err != nil {
		return []provision.Check{provision.FailedCheck("charts", "correct the values", "%v", err)}
	}
	ctx, cancel := context.WithTimeout(ctx, trialTimeout)
	defer cancel()
	return k.Try(ctx, subject, sampleStore, releases)
}

// trialTimeout is how long the trial of one cluster may take.
const trialTimeout = time.Minute

// needsOf renders a store of each engine and reads from its objects what they need of a cluster.
func needsOf(installed helm.Charts) (needs cluster.Needs, err error) {
	releases, err := sampleReleases()
	if err != nil {
		return needs, err
	}
	for name, release := range releases {
		s := sampleStore
		s.Engine = name
		files, err := helm.Render(installed, s, release)
		if err != nil {
			return needs, err
		}
		for _, text := range files {
			if err := needs.Add(text); err != nil {
				return needs, fmt.Errorf("chart %s: %w", name, err)
			}
		}
	}
	return needs, nil
}

func checkBackend(ctx context.Context, c Config) provision.Check {
	ctx, cancel := context.WithTimeout(ctx, preflightTimeout)
	defer cancel()
	sender, err := callback.NewSender(c.Backend, "", "", c.backendTLS())
	if err != nil {
		return provision.FailedCheck("backend", "correct the variable", "%v", err)
	}
	status, location, err := sender.Probe(ctx)
	switch {
	case err != nil:
		return provision.FailedCheck("backend", "check BACKEND_API_BASE, the network, and the backend's certificate (ORCH_BACKEND_CA_FILE)", "it does not answer: %v", err)
	case location != "":
		return provision.Warned("backend", "if callbacks are redirected too, set BACKEND_API_BASE to where the API is: a redirect is a dead letter", "it redirects to %.200q", location)
	}
	return provision.Checked("backend", "it answers (%s)", status)
}
