package service

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/caarlos0/env/v11"
)

// Redis is where records and queues live.
type Redis struct {
	URL string `env:"REDIS_URL,required,notEmpty" help:"redis://, rediss://, unix://, redis-sentinel:// or redis-cluster:// URL of Redis 6.2 or later"`
}

// Tokens are shared with the backend.
type Tokens struct {
	Tokens []string `env:"ORCHESTRATOR_TOKEN,required,notEmpty" help:"token shared with the backend; several, comma-separated, to rotate: all are accepted, the first is sent"`
}

// First is the token that callbacks carry.
func (t Tokens) First() string { return t.Tokens[0] }

// Patience ends generations.
type Patience struct {
	Deadline time.Duration `env:"ORCH_DEADLINE" envDefault:"24h" help:"time from acceptance after which a request that is not finished fails"`
}

// Validate refuses a deadline that nothing can meet.
func (p Patience) Validate() error {
	if p.Deadline < time.Minute {
		return fmt.Errorf("ORCH_DEADLINE is %s; it must be at least a minute", p.Deadline)
	}
	return nil
}

func parse[C Configuration]() (C, error) {
	var c C
	if err := env.Parse(&c); err != nil {
		if many, ok := err.(env.AggregateError); ok {
			return c, errors.Join(many.Errors...)
		}
		return c, err
	}
	return c, c.Validate()
}

// help prints one row per variable, from the tags.
func help[C any](w io.Writer, name, about string) {
	fmt.Fprintf(w, "%s: %s\n\nIt is configured by its environment:\n\n", name, about)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	describe(table, reflect.TypeFor[C]())
	table.Flush()
}

func describe(w io.Writer, t reflect.Type) {
	for field := range t.Fields() {
		tag, ok := field.Tag.Lookup("env")
		if !ok {
			if field.Type.Kind() == reflect.Struct {
				describe(w, field.Type)
			}
			continue
		}
		name, options, _ := strings.Cut(tag, ",")
		value := field.Tag.Get("envDefault")
		switch {
		case strings.Contains(options, "required"):
			value = "(required)"
		case value == "":
			value = "-"
		}
		fmt.Fprintf(w, "  %s\t%s\t%s\n", name, value, field.Tag.Get("help"))
	}
}
