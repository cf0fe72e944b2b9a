package service

import (
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/caarlos0/env/v11"

	"orchestrator/provision"
)

// Tokens are the secrets that are shared with the backend.
type Tokens struct {
	Tokens []string `env:"ORCHESTRATOR_TOKEN,required,notEmpty" help:"token shared with the backend; for a rotation several, separated by commas: all are accepted, the first is sent"`
}

// First is the token that is sent with callbacks.
func (t Tokens) First() string { return t.Tokens[0] }

// GenerationTimeout limits how long a generation may take.
type GenerationTimeout struct {
	Deadline time.Duration `env:"ORCH_DEADLINE" envDefault:"24h" help:"time from acceptance after which a request that is not finished fails"`
}

// Validate refuses a deadline that nothing can meet.
func (t GenerationTimeout) Validate() error {
	if t.Deadline < time.Minute {
		return fmt.Errorf("ORCH_DEADLINE is %s; it must be at least a minute", t.Deadline)
	}
	return nil
}

// Validate refuses tokens that cannot be sent in an HTTP header.
func (t Tokens) Validate() error {
	for i, token := range t.Tokens {
		if token == "" || strings.ContainsFunc(token, func(c rune) bool { return c <= ' ' || c > '~' }) {
			return fmt.Errorf("ORCHESTRATOR_TOKEN: token %d of %d is empty or has characters that are not allowed in an HTTP header", i+1, len(t.Tokens))
		}
	}
	return nil
}

// Common is the configuration that ingest and workers share.
type Common struct {
	Redis
	Tokens
	GenerationTimeout
	Clusters
	Log

	Tracing *Tracing // not from the environment; nil: off
}

// Clusters are the clusters of the installation; an empty list means a single cluster without a name.
type Clusters struct {
	Clusters provision.Clusters `env:"ORCH_CLUSTERS" help:"list of NAME[=KUBECONFIG][;weight=N][;max=N][;closed], separated by commas; ingest needs all clusters, without kubeconfig; a worker needs those that it serves; empty: a single cluster"`
}

// Validate reports the mistakes of all parts.
func (c Common) Validate() error {
	return errors.Join(c.Redis.Validate(), c.Tokens.Validate(), c.GenerationTimeout.Validate(), c.Log.Validate())
}

// parse reads C from the environment. If variables cannot be parsed, it validates the others too, with defaults in the place
// of the broken ones, so that all mistakes are reported at once.
func parse[C Configuration]() (C, error) {
	environment := env.ToMap(os.Environ())
	c, err := read[C](environment)
	if err == nil {
		return c, c.Validate()
	}
	mistakes := []error{}
	for _, e := range flatten(err) {
		if broken, ok := errors.AsType[env.ParseError](e); ok {
			name := variableName(reflect.TypeFor[C](), broken)
			delete(environment, name)
			e = fmt.Errorf("%s: %w", name, broken.Err)
		}
		mistakes = append(mistakes, e)
	}
	others, _ := read[C](environment) // its errors are in mistakes
	return c, errors.Join(append(mistakes, others.Validate())...)
}

func read[C any](environment map[string]string) (c C, err error) {
	err = env.ParseWithOptions(&c, env.Options{Environment: environment, FuncMap: map[reflect.Type]env.ParserFunc{
		reflect.TypeFor[time.Duration](): func(text string) (any, error) { return parseDuration(text) },
	}})
	return c, err
}

// parseDuration reads 1m30s, and a number alone as seconds.
func parseDuration(text string) (time.Duration, error) {
	if _, err := strconv.ParseFloat(text, 64); err == nil {
		text += "s"
	}
	return time.ParseDuration(text)
}

// variableName returns the variable of a field that could not be parsed; the parser's error has only the field's name.
func variableName(t reflect.Type, broken env.ParseError) string {
	for field := range t.Fields() {
		tag, ok := field.Tag.Lookup("env")
		if ok && field.Name == broken.Name && field.Type == broken.Type {
			name, _, _ := strings.Cut(tag, ",")
			return name
		}
		if !ok && field.Type.Kind() == reflect.Struct {
			if name := variableName(field.Type, broken); name != "" {
				return name
			}
		}
	}
	return ""
}

const usage = `%[1]s: %[2]s

Usage:
  %[1]s             run until SIGTERM or Ctrl-C; a second signal ends it at once
  %[1]s probe URL   send one GET to a running service; exit code 0 if the status is 2xx, else 1
  %[1]s --version   print the version
  %[1]s --help      print this text

Exit codes: 0 after a regular stop, 1 after a failure, 2 for a mistake in the configuration or the arguments.

Configuration is read from environment variables. At the start all mistakes are reported at once. A duration is a number with
a unit, such as 90s or 1m30s; a number without a unit means seconds. Variable, default (- is empty), meaning:

`

// writeHelp prints the usage and one row per variable.
func writeHelp[C any](w io.Writer, name, about string) {
	fmt.Fprintf(w, usage, name, about)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	writeVariables(table, reflect.TypeFor[C]())
	table.Flush()
}

func writeVariables(w io.Writer, t reflect.Type) {
	for field := range t.Fields() {
		tag, ok := field.Tag.Lookup("env")
		if !ok {
			if field.Type.Kind() == reflect.Struct {
				writeVariables(w, field.Type)
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
