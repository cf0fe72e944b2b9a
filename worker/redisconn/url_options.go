package redisconn

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
)

// What the value of an option must be, for error texts: go-redis' own repeat the value.
const (
	number    = "a whole number"
	duration  = "a duration such as 1m30s, or a number of seconds"
	text      = "text"
	database  = "the number of a database"
	encrypted = "true or false, in a URL whose scheme begins with rediss"
)

// The options of a URL by its kind, with go-redis' names and meanings. Those that would read from replicas are missing: the
// record decides, and a replica may lag behind.
var (
	clusterOptions = map[string]string{
		"protocol": number, "client_name": text, "skip_verify": encrypted, "max_redirects": number,
		"max_retries": number, "min_retry_backoff": duration, "max_retry_backoff": duration,
		"dial_timeout": duration, "read_timeout": duration, "write_timeout": duration,
		"pool_size": number, "pool_timeout": duration, "min_idle_conns": number, "max_idle_conns": number, "max_active_conns": number,
		"conn_max_idle_time": duration, "conn_max_lifetime": duration,
	}
	databaseOptions = with(clusterOptions, map[string]string{"db": database}, "max_redirects")
	sentinelOptions = with(databaseOptions, map[string]string{"sentinel_username": text, "sentinel_password": text})
)

func with(all, more map[string]string, without ...string) map[string]string {
	all = maps.Clone(all)
	maps.Copy(all, more)
	maps.DeleteFunc(all, func(name, _ string) bool { return slices.Contains(without, name) })
	return all
}

// parse parses a URL of one host with go-redis. Options by the names in own are the caller's: go-redis' parser does not have
// them, so they are taken out of the query and returned.
func parse(u *url.URL, known map[string]string, own ...string) (*options, url.Values, error) {
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, nil, errURL
	}
	taken := url.Values{}
	for name, values := range query {
		want, ok := known[name]
		switch {
		case !ok || len(values) != 1:
			// The name is not repeated: where a password holds a question mark, it is a part of the password.
			return nil, nil, fmt.Errorf("the part after '?' holds something that is no option of such a URL, or an option twice; there are %s",
				strings.Join(slices.Sorted(maps.Keys(known)), ", "))
		case slices.Contains(own, name):
			taken[name] = values
			delete(query, name)
		case !fits(u.Scheme, name, values[0]):
			return nil, nil, errOption(name, want)
		}
	}
	u.RawQuery = query.Encode()
	o, err := redis.ParseURL(u.String())
	if err != nil || o.DB < 0 {
		return nil, nil, errURL
	}
	return fromLibrary(o), taken, nil
}

// fits reports whether go-redis takes an option in a URL of this scheme.
func fits(scheme, name, value string) bool {
	u := url.URL{Scheme: scheme, Host: "host", Path: "/", RawQuery: url.Values{name: {value}}.Encode()}
	o, err := redis.ParseURL(u.String())
	return err == nil && o.DB >= 0
}

func errOption(name, want string) error { return fmt.Errorf("the option %s must be %s", name, want) }

// fromLibrary copies what the options above can set.
func fromLibrary(o *redis.Options) *options {
	return &options{
		UniversalOptions: redis.UniversalOptions{
			Addrs: []string{o.Addr}, DB: o.DB, Username: o.Username, Password: o.Password, Protocol: o.Protocol, ClientName: o.ClientName,
			MaxRetries: o.MaxRetries, MinRetryBackoff: o.MinRetryBackoff, MaxRetryBackoff: o.MaxRetryBackoff,
			DialTimeout: o.DialTimeout, ReadTimeout: o.ReadTimeout, WriteTimeout: o.WriteTimeout,
			PoolSize: o.PoolSize, PoolTimeout: o.PoolTimeout, MinIdleConns: o.MinIdleConns, MaxIdleConns: o.MaxIdleConns,
			MaxActiveConns: o.MaxActiveConns, ConnMaxIdleTime: o.ConnMaxIdleTime, ConnMaxLifetime: o.ConnMaxLifetime,
		},
		tls:        o.TLSConfig != nil,
		skipVerify: o.TLSConfig != nil && o.TLSConfig.InsecureSkipVerify,
	}
}
