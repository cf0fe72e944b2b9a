package service

import (
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"

	"orchestrator/worker/redisconn"
)

// Redis is where records and queues live.
type Redis struct {
	URL        string `env:"REDIS_URL,required,notEmpty" help:"redis://, unix://, redis-sentinel:// or redis-cluster:// URL of Redis 6.2 or later; rediss://, rediss-sentinel:// or rediss-cluster:// for TLS"`
	CAFile     string `env:"ORCH_REDIS_CA_FILE" help:"PEM file of the authorities that Redis' certificate is checked by; empty: the system's"`
	CertFile   string `env:"ORCH_REDIS_CERT_FILE" help:"PEM file of the certificate that Redis is shown; read again for each connection"`
	KeyFile    string `env:"ORCH_REDIS_KEY_FILE" help:"PEM file of its key"`
	ServerName string `env:"ORCH_REDIS_SERVER_NAME" help:"name in Redis' certificate; empty: the host that is connected to"`
}

// Connect returns a client. It opens no connection.
func (r Redis) Connect(profile redisconn.Profile) (redis.UniversalClient, error) {
	client, err := redisconn.Connect(r.URL, profile, redisconn.TLSOptions{CAFile: r.CAFile, CertFile: r.CertFile, KeyFile: r.KeyFile, ServerName: r.ServerName})
	if wrong, ok := errors.AsType[*redisconn.OptionError](err); ok {
		return nil, fmt.Errorf("%s: %w", redisVariables[wrong.Option], wrong.Err)
	}
	return client, err
}

// redisVariables are the variables of the options of a connection.
var redisVariables = map[string]string{"URL": "REDIS_URL", "CAFile": "ORCH_REDIS_CA_FILE", "CertFile": "ORCH_REDIS_CERT_FILE",
	"KeyFile": "ORCH_REDIS_KEY_FILE", "ServerName": "ORCH_REDIS_SERVER_NAME"}

// RedisAt is the Redis of a URL that comes from elsewhere, with the rest of its settings from the environment.
func RedisAt(url string, getenv func(string) string) Redis {
	return Redis{URL: url, CAFile: getenv("ORCH_REDIS_CA_FILE"), CertFile: getenv("ORCH_REDIS_CERT_FILE"),
		KeyFile: getenv("ORCH_REDIS_KEY_FILE"), ServerName: getenv("ORCH_REDIS_SERVER_NAME")}
}

// Environment is what leads a child process to the same Redis, whatever stands in its parent's environment.
func (r Redis) Environment() []string {
	return []string{"REDIS_URL=" + r.URL, "ORCH_REDIS_CA_FILE=" + r.CAFile, "ORCH_REDIS_CERT_FILE=" + r.CertFile,
		"ORCH_REDIS_KEY_FILE=" + r.KeyFile, "ORCH_REDIS_SERVER_NAME=" + r.ServerName}
}
