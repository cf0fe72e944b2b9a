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

// Validate refuses tokens that could not be sent or compared.
func (t Tokens) Validate() error {
	for i, token := range t.Tokens {
		if token == "" || strings.ContainsFunc(token, func(c rune) bool { return c <= ' ' || c > '~' }) {
			return fmt.Errorf("ORCHESTRATOR_TOKEN: token %d of %d is empty or has characters that no HTTP header can carry", i+1, len(t.Tokens))
		}
	}
	return nil
}

// Common is what both ends of the queues are told.
type Common struct {
	Redis
	Tokens
	Patience
	Clusters
	Log
}

// Clusters are those that the process serves; none named means one.
type Clusters struct {
	Clusters provision.Clusters `env:"ORCH_CLUSTERS" help:"NAME[=KUBECONFIG][;weight=N][;max=N][;closed], comma-separated: all clusters for ingest, which needs no kubeconfig, those that it serves for a worker; empty: one cluster"`
}

// Validate reports all mistakes of its parts.
func (c Common) Validate() error {
	return errors.Join(c.Tokens.Validate(), c.Patience.Validate(), c.Log.Validate())
}

// parse reads C from the environment. Where variables do not parse, the values of the others are checked all the same,
// with defaults in the place of those.
func parse[C Configuration]() (C, error) {
	environment := env.ToMap(os.Environ())
	c, err := read[C](environment)
	if err == nil {
		return c, c.Validate()
	}
	mistakes := []error{}
	for _, e := range flatten(err) {
		if broken, ok := errors.AsType[env.ParseError](e); ok {
			name := variableOf(reflect.TypeFor[C](), broken)
			delete(environment, name)
			e = fmt.Errorf("%s: %w", name, broken.Err)
		}
		mistakes = append(mistakes, e)
	}
	others, _ := read[C](environment) // its mistakes are known
	return c, errors.Join(append(mistakes, others.Validate())...)
}

func read[C any](environment map[string]string) (c C, err error) {
	err = env.ParseWithOptions(&c, env.Options{Environment: environment, FuncMap: map[reflect.Type]env.ParserFunc{
		reflect.TypeFor[time.Duration](): func(text string) (any, error) { return duration(text) },
	}})
	return c, err
}

// duration reads 1m30s, and a number alone as seconds.
func duration(text string) (time.Duration, error) {
	if _, err := strconv.ParseFloat(text, 64); err == nil {
		text += "s"
	}
	return time.ParseDuration(text)
}

// variableOf is the variable of a field that did not parse; the parser tells the field's name only.
func variableOf(t reflect.Type, broken env.ParseError) string {
	for field := range t.Fields() {
		tag, ok := field.Tag.Lookup("env")
		if ok && field.Name == broken.Name && field.Type == broken.Type {
			name, _, _ := strings.Cut(tag, ",")
			return name
		}
		if !ok && field.Type.Kind() == reflect.Struct {
			if name := variableOf(field.Type, broken); name != "" {
				return name
			}
		}
	}
	return ""
}

// help prints one row per variable, from the tags.
func help[C any](w io.Writer, name, about string) {
	fmt.Fprintf(w, "%s: %s\n\n`%s probe URL` asks a running one how it is: exit 0 for an answer of 2xx.\n\nIt is configured by its environment:\n\n", name, about, name)
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
