package queue

import (
	"errors"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// parseURL understands what go-redis does, and two schemes of ours in the form that other Redis tools use:
// redis-sentinel://[:password@]host:port[,host:port…]/master[?db=n] and redis-cluster://[:password@]host:port[,host:port…].
func parseURL(raw string) (*redis.UniversalOptions, error) {
	scheme, rest, ok := strings.Cut(raw, "://")
	if !ok || strings.Contains(raw, "#") { // an unescaped '#' would end the URL, and what is before it be taken for hosts
		return nil, errURL
	}
	switch scheme {
	case "redis", "rediss", "unix":
		return parseSingle(raw)
	case "redis-sentinel":
		return parseSentinel(rest)
	case "redis-cluster":
		return parseCluster(rest)
	}
	return nil, errURL
}

// errURL says what is right, not what is wrong: where a password holds characters that should have been escaped, any
// part of the URL may be a part of the password.
var errURL = errors.New("want redis[s]://[user:password@]host[:port][/db], unix://[:password@]/path[?db=n], " +
	"redis-sentinel://[user:password@]host:port[,host:port…]/master[?db=n] or redis-cluster://[user:password@]host:port[,host:port…], " +
	"with special characters in user and password percent-encoded")

func parseSingle(raw string) (*redis.UniversalOptions, error) {
	o, err := redis.ParseURL(raw)
	if err != nil {
		return nil, errURL
	}
	return &redis.UniversalOptions{Addrs: []string{o.Addr}, DB: o.DB, Username: o.Username, Password: o.Password, TLSConfig: o.TLSConfig,
		Dialer: o.Dialer, PoolSize: o.PoolSize}, nil
}

func parseSentinel(rest string) (*redis.UniversalOptions, error) {
	o, u, err := parseMany(rest)
	if err != nil {
		return nil, err
	}
	o.MasterName = strings.Trim(u.Path, "/")
	if o.MasterName == "" || strings.ContainsAny(o.MasterName, "/@:") {
		return nil, errURL
	}
	o.SentinelUsername, o.SentinelPassword = u.Query().Get("sentinel_username"), u.Query().Get("sentinel_password")
	if db := u.Query().Get("db"); db != "" {
		if o.DB, err = strconv.Atoi(db); err != nil {
			return nil, errURL
		}
	}
	return o, nil
}

func parseCluster(rest string) (*redis.UniversalOptions, error) {
	o, u, err := parseMany(rest)
	if err != nil || strings.Trim(u.Path, "/") != "" {
		return nil, errURL
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
		return nil, nil, errURL
	}
	o := &redis.UniversalOptions{Username: u.User.Username()}
	o.Password, _ = u.User.Password()
	for host := range strings.SplitSeq(hosts, ",") {
		if !hasPort(host) {
			return nil, nil, errURL
		}
		o.Addrs = append(o.Addrs, host)
	}
	return o, u, nil
}

func hasPort(addr string) bool {
	host, port, err := net.SplitHostPort(addr)
	if err != nil || host == "" {
		return false
	}
	_, err = strconv.ParseUint(port, 10, 16)
	return err == nil
}
