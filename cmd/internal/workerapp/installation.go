package workerapp

import (
	"context"
	"fmt"
	"log/slog"
	"regexp"

	"github.com/redis/go-redis/v9"

	"orchestrator/cmd/internal/service"
	"orchestrator/provision/cluster"
	"orchestrator/worker/record"
	"orchestrator/worker/redisconn"
)

var labelValue = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$`)

func (c Config) validateInstallation() error {
	if c.Installation != "" && !labelValue.MatchString(c.Installation) {
		return fmt.Errorf("ORCH_INSTALLATION is %q; it must be 1 to 63 letters, digits, '-', '_' or '.', and begin and end with a letter or digit", c.Installation)
	}
	return nil
}

func (c Config) validateSecrets() error {
	_, err := cluster.StoreSecrets(c.SecretsDir).Read()
	return named("ORCH_STORE_SECRETS_DIR", err)
}

// installation is the name that was set, or one that was generated in Redis and is lost with it.
func (c Config) installation(records redis.UniversalClient) cluster.Installation {
	if c.Installation != "" {
		return cluster.Named(c.Installation)
	}
	return func(ctx context.Context) (string, error) { return record.Installation(ctx, records) }
}

// warnOfAGeneratedName is for the start: the setting matters on the day that Redis loses its data.
func (c Config) warnOfAGeneratedName(log *slog.Logger) {
	if c.Installation == "" && !c.Mock {
		log.Warn("ORCH_INSTALLATION is not set: the name of this installation is a random one in Redis. If Redis loses its data, the stores in the " +
			"cluster are no longer recognized, and `worker adopt` has to take them over; set a name of your own to have them recovered")
	}
}

// ClusterState is what one cluster has saved about its stores.
type ClusterState struct {
	Name  string // as an operator would name the cluster
	State *cluster.State
}

// ConnectStates gives commands access to what the clusters have saved, and a function that closes the connections. It sends no
// request yet.
func ConnectStates(common service.Common, c Config, log *slog.Logger) ([]ClusterState, func(), error) {
	installed, err := c.charts()
	if err != nil {
		return nil, nil, err
	}
	records, err := common.Connect(redisconn.FailFast)
	if err != nil {
		return nil, nil, err
	}
	var states []ClusterState
	for _, one := range served(common, c) {
		k, err := connectCluster(one, c, installed, c.installation(records), nil, log)
		if err != nil {
			_ = records.Close()
			return nil, nil, err
		}
		states = append(states, ClusterState{c.nameOf(one), k.State})
	}
	return states, func() { _ = records.Close() }, nil
}
