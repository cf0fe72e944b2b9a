package service

import (
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"

	"orchestrator/worker/redisconn"
)

// Redis configures the connection to the Redis that holds records and queues.
type Redis struct {
	URL        string `env:"REDIS_URL,required,notEmpty" help:"redis://, unix://, redis-sentinel:// or redis-cluster:// URL of Redis 6.2 or later; rediss://, rediss-sentinel:// or rediss-cluster:// for TLS"`
	CAFile     string `env:"ORCH_REDIS_CA_FILE" help:"PEM file of the certificate authorities that the certificate of Redis is verified with; empty: those of the system"`
	CertFile   string `env:"ORCH_REDIS_CERT_FILE" help:"PEM file of the client certificate; read again for each connection"`
	KeyFile    string `env:"ORCH_REDIS_KEY_FILE" help:"PEM file of the key of ORCH_REDIS_CERT_FILE"`
	ServerName string `env:"ORCH_REDIS_SERVER_NAME" help:"name in the certificate of Redis; empty: the host of the connection"`
}

// Validate checks the URL and reads the files. It does not connect. An empty URL is reported by the parser of the environment.
func (r Redis) Validate() error {
	if r.URL == "" {
		return nil
	}
	client, err := r.Connect(redisconn.FailFast)
	if err == nil {
		err = client.Close()
	}
	return err
}

// Connect returns a client. It does not open a connection.
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

// RedisAt returns the configuration for this URL, with the other settings from the environment.
func RedisAt(url string, getenv func(string) string) Redis {
	return Redis{URL: url, CAFile: getenv("ORCH_REDIS_CA_FILE"), CertFile: getenv("ORCH_REDIS_CERT_FILE"),
		KeyFile: getenv("ORCH_REDIS_KEY_FILE"), ServerName: getenv("ORCH_REDIS_SERVER_NAME")}
}

// Environment returns the variables that make a child process use the same Redis, whatever else its environment contains.
func (r Redis) Environment() []string {
	return []string{"REDIS_URL=" + r.URL, "ORCH_REDIS_CA_FILE=" + r.CAFile, "ORCH_REDIS_CERT_FILE=" + r.CertFile,
		"ORCH_REDIS_KEY_FILE=" + r.KeyFile, "ORCH_REDIS_SERVER_NAME=" + r.ServerName}
}
