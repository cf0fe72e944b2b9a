package redisconn

import (
	"cmp"
	"time"

	"github.com/redis/go-redis/v9"
)

// Profile is how a client treats an outage. A process has one client for each profile that it needs.
type Profile int

const (
	// FailFast fails within seconds: a caller waits for the answer.
	FailFast Profile = iota
	// RetryToDeadline retries each command that has a deadline until then. It is for an asynq.Server alone, which has to write
	// the outcome of a task after an outage.
	RetryToDeadline
)

// Connect returns a client for a URL with the scheme redis, unix, redis-sentinel or redis-cluster, or with rediss in place of
// redis for TLS. It opens no connection. The error is an [*OptionError], which says what is wrong without repeating the URL:
// any part of a URL that does not parse may be a part of its password.
func Connect(url string, profile Profile, options TLSOptions) (redis.UniversalClient, error) {
	t, err := parseURL(url)
	if err != nil {
		return nil, &OptionError{"URL", err}
	}
	if err := options.check(t.tls); err != nil {
		return nil, err
	}
	t.DialTimeout = cmp.Or(t.DialTimeout, 2*time.Second)
	t.ReadTimeout = cmp.Or(t.ReadTimeout, 3*time.Second)
	t.WriteTimeout = cmp.Or(t.WriteTimeout, 3*time.Second)
	t.ContextTimeoutEnabled = true
	if t.tls {
		t.Dialer = options.dial(t.DialTimeout, t.skipVerify)
	}
	client := redis.NewUniversalClient(&t.UniversalOptions)
	if profile == RetryToDeadline {
		client.AddHook(retryHook{})
	}
	if cluster, ok := client.(*redis.ClusterClient); ok {
		cluster.AddHook(topologyHook{cluster}) // behind settleHook: each of its attempts may find the new master
	}
	return client, nil
}

// OptionError says which option of a connection is wrong: URL or the name of a field of [TLSOptions].
type OptionError struct {
	Option string
	Err    error
}

func (e *OptionError) Error() string { return e.Option + ": " + e.Err.Error() }

func (e *OptionError) Unwrap() error { return e.Err }
