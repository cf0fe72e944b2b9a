package queue

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// parseURL understands what go-redis does, and two schemes of ours in the form that other Redis tools use:
// redis-sentinel://[:password@]host:port[,host:port…]/master[?db=n] and redis-cluster://[:password@]host:port[,host:port…].
func parseURL(raw string) (*redis.UniversalOptions, error) {
	scheme, rest, ok := strings.Cut(raw, "://")
	if !ok {
		return nil, errors.New("want redis://, rediss://, unix://, redis-sentinel:// or redis-cluster://")
	}
	switch scheme {
	case "redis", "rediss", "unix":
		return parseSingle(raw)
	case "redis-sentinel":
		return parseSentinel(rest)
	case "redis-cluster":
		return parseCluster(rest)
	}
	return nil, fmt.Errorf("scheme %q is not one of redis, rediss, unix, redis-sentinel, redis-cluster", scheme)
}

func parseSingle(raw string) (*redis.UniversalOptions, error) {
	o, err := redis.ParseURL(raw)
	if err != nil {
		return nil, withoutURL(err)
	}
	addr := o.Addr
	return &redis.UniversalOptions{Addrs: []string{addr}, DB: o.DB, Username: o.Username, Password: o.Password, TLSConfig: o.TLSConfig,
		Dialer: o.Dialer, PoolSize: o.PoolSize}, nil
}

func parseSentinel(rest string) (*redis.UniversalOptions, error) {
	o, u, err := parseMany(rest)
	if err != nil {
		return nil, err
	}
	o.MasterName = strings.Trim(u.Path, "/")
	if o.MasterName == "" {
		return nil, errors.New("redis-sentinel:// needs the master's name as path")
	}
	o.SentinelUsername, o.SentinelPassword = u.Query().Get("sentinel_username"), u.Query().Get("sentinel_password")
	if db := u.Query().Get("db"); db != "" {
		if o.DB, err = strconv.Atoi(db); err != nil {
			return nil, errors.New("db is not a number")
		}
	}
	return o, nil
}

func parseCluster(rest string) (*redis.UniversalOptions, error) {
	o, _, err := parseMany(rest)
	if err != nil {
		return nil, err
	}
	o.IsClusterMode = true
	return o, nil
}

// parseMany reads user, password and a list of hosts, which net/url does not take as one host.
func parseMany(rest string) (*redis.UniversalOptions, *url.URL, error) {
	authority, tail, _ := strings.Cut(rest, "/")
	user, hosts := "", authority
	if at := strings.LastIndex(authority, "@"); at >= 0 {
		user, hosts = authority[:at+1], authority[at+1:]
	}
	u, err := url.Parse("redis://" + user + "host/" + tail)
	if err != nil {
		return nil, nil, withoutURL(err)
	}
	o := &redis.UniversalOptions{Username: u.User.Username()}
	o.Password, _ = u.User.Password()
	for host := range strings.SplitSeq(hosts, ",") {
		if host == "" {
			return nil, nil, errors.New("a host is empty")
		}
		o.Addrs = append(o.Addrs, host)
	}
	return o, u, nil
}

// withoutURL keeps the reason of a parse error and drops the URL, which may hold a password.
func withoutURL(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}
