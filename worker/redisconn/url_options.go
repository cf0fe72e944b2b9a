package redisconn

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// option sets what a URL's query says; its error says what is wanted, never what it got.
type option func(t *options, value string) error

// The options keep go-redis' names and meanings. Those that would read from replicas are none: the record decides, and a
// replica does not have the newest of it.
var (
	forAll = map[string]option{
		"protocol":           wholeNumber(func(t *options) *int { return &t.Protocol }),
		"client_name":        word(func(t *options) *string { return &t.ClientName }),
		"max_retries":        wholeNumber(func(t *options) *int { return &t.MaxRetries }),
		"min_retry_backoff":  duration(func(t *options) *time.Duration { return &t.MinRetryBackoff }),
		"max_retry_backoff":  duration(func(t *options) *time.Duration { return &t.MaxRetryBackoff }),
		"dial_timeout":       duration(func(t *options) *time.Duration { return &t.DialTimeout }),
		"read_timeout":       duration(func(t *options) *time.Duration { return &t.ReadTimeout }),
		"write_timeout":      duration(func(t *options) *time.Duration { return &t.WriteTimeout }),
		"pool_size":          wholeNumber(func(t *options) *int { return &t.PoolSize }),
		"pool_timeout":       duration(func(t *options) *time.Duration { return &t.PoolTimeout }),
		"min_idle_conns":     wholeNumber(func(t *options) *int { return &t.MinIdleConns }),
		"max_idle_conns":     wholeNumber(func(t *options) *int { return &t.MaxIdleConns }),
		"max_active_conns":   wholeNumber(func(t *options) *int { return &t.MaxActiveConns }),
		"conn_max_idle_time": duration(func(t *options) *time.Duration { return &t.ConnMaxIdleTime }),
		"conn_max_lifetime":  duration(func(t *options) *time.Duration { return &t.ConnMaxLifetime }),
		"skip_verify":        skipVerify,
	}
	forDatabase = map[string]option{"db": database}
	forSentinel = map[string]option{
		"sentinel_username": word(func(t *options) *string { return &t.SentinelUsername }),
		"sentinel_password": word(func(t *options) *string { return &t.SentinelPassword }),
	}
	forCluster = map[string]option{"max_redirects": wholeNumber(func(t *options) *int { return &t.MaxRedirects })}
)

// apply sets the options of a query. An option that is not known is not named in the error: where a password holds a
// question mark, it is a part of the password.
func (t *options) apply(query string, sets ...map[string]option) error {
	values, err := url.ParseQuery(query)
	if err != nil {
		return errURL
	}
	known := map[string]option{}
	for _, set := range sets {
		maps.Copy(known, set)
	}
	for name, given := range values {
		set, ok := known[name]
		if !ok || len(given) != 1 {
			return fmt.Errorf("the part after '?' holds something that is no option of such a URL, or an option twice; there are %s",
				strings.Join(slices.Sorted(maps.Keys(known)), ", "))
		}
		if err := set(t, given[0]); err != nil {
			return fmt.Errorf("the option %s %w", name, err)
		}
	}
	return nil
}

func word(field func(*options) *string) option {
	return func(t *options, value string) error {
		*field(t) = value
		return nil
	}
}

func wholeNumber(field func(*options) *int) option {
	return func(t *options, value string) error {
		n, err := strconv.Atoi(value)
		if err != nil {
			return errors.New("must be a whole number")
		}
		*field(t) = n
		return nil
	}
}

// duration reads 1m30s, and a number alone as seconds; 0 and less turn the limit off.
func duration(field func(*options) *time.Duration) option {
	return func(t *options, value string) error {
		if _, err := strconv.Atoi(value); err == nil {
			value += "s"
		}
		d, err := time.ParseDuration(value)
		if err != nil {
			return errors.New("must be a duration such as 1m30s, or a number of seconds")
		}
		if d <= 0 {
			d = -1
		}
		*field(t) = d
		return nil
	}
}

func database(t *options, value string) error {
	n, err := strconv.ParseUint(value, 10, 16)
	if err != nil {
		return errors.New("must be the number of a database")
	}
	t.DB = int(n)
	return nil
}

func skipVerify(t *options, value string) error {
	skip, err := strconv.ParseBool(value)
	if err != nil || !t.tls {
		return errors.New("must be true or false, in a URL whose scheme begins with rediss")
	}
	t.skipVerify = skip
	return nil
}
