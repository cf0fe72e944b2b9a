package service

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"orchestrator/worker/redisconn"

	"github.com/caarlos0/env/v11"
	"github.com/google/go-cmp/cmp"
)

// settings is a configuration with every kind of variable in it.
type settings struct {
	Redis
	Tokens
	GenerationTimeout
	Log

	Attempts int           `env:"TOY_ATTEMPTS" envDefault:"30" help:"how often"`
	Every    time.Duration `env:"TOY_EVERY" envDefault:"10s" help:"how long in between"`
	Optional string        `env:"TOY_OPTIONAL" help:"may be left out"`
}

func (s settings) Validate() error {
	errs := []error{s.Tokens.Validate(), s.GenerationTimeout.Validate(), s.Log.Validate()}
	if time.Duration(s.Attempts)*s.Every <= 0 {
		errs = append(errs, errors.New("TOY_ATTEMPTS times TOY_EVERY must be positive"))
	}
	return errors.Join(errs...)
}

var sound = map[string]string{"REDIS_URL": "redis://:redispass@localhost", "ORCHESTRATOR_TOKEN": "tokenpass,older"}

// A child process has to use the same Redis, and the same certificates.
func TestRedisEnvironmentIsReadBack(t *testing.T) {
	r := Redis{URL: "rediss://h", CAFile: "ca", CertFile: "crt", KeyFile: "key", ServerName: "name"}
	for _, variable := range r.Environment() {
		name, value, _ := strings.Cut(variable, "=")
		t.Setenv(name, value)
	}
	if got, err := read[struct{ Redis }](env.ToMap(os.Environ())); err != nil || got.Redis != r {
		t.Errorf("read as %+v, %v", got, err)
	}
	if got := RedisAt(r.URL, os.Getenv); got != r {
		t.Errorf("found as %+v", got)
	}
	if _, err := r.Connect(redisconn.FailFast); err == nil || !strings.Contains(err.Error(), "ORCH_REDIS_CA_FILE: open ca") {
		t.Errorf("a file that is missing: %v", err)
	}
}

// with is the sound environment with changes; a variable that is "-" is unset.
func with(changes ...string) map[string]string {
	environment := map[string]string{}
	for name, value := range sound {
		environment[name] = value
	}
	for _, change := range changes {
		name, value, _ := strings.Cut(change, "=")
		environment[name] = value
	}
	return environment
}

// parsed parses in that environment and returns each mistake.
func parsed(t *testing.T, environment map[string]string) (c settings, mistakes []string) {
	t.Helper()
	for _, name := range []string{"ORCH_DEADLINE", "ORCH_LOG_LEVEL", "ORCH_LOG_FORMAT", "TOY_ATTEMPTS", "TOY_EVERY", "TOY_OPTIONAL"} {
		if _, set := environment[name]; !set {
			environment[name] = "-"
		}
	}
	for name, value := range environment {
		t.Setenv(name, value) // it restores what was there
		if value == "-" {
			_ = os.Unsetenv(name)
		}
	}
	c, err := parse[settings]()
	if err != nil {
		for _, e := range flatten(err) {
			mistakes = append(mistakes, e.Error())
		}
	}
	return c, mistakes
}

func TestParseReadsEveryKindOfVariable(t *testing.T) {
	c, mistakes := parsed(t, with("ORCH_DEADLINE=90m", "ORCH_LOG_LEVEL=debug", "TOY_EVERY=1m30s"))
	if mistakes != nil || c.Deadline != 90*time.Minute || c.Every != 90*time.Second || c.Attempts != 30 || c.Format != "json" || c.First() != "tokenpass" {
		t.Errorf("%+v, %v", c, mistakes)
	}
}

func TestParseDurationTakesNumbersAsSeconds(t *testing.T) {
	for text, want := range map[string]time.Duration{"10": 10 * time.Second, "0.5": 500 * time.Millisecond, "10s": 10 * time.Second, "1h2m": 62 * time.Minute, "0": 0} {
		if got, err := parseDuration(text); err != nil || got != want {
			t.Errorf("%q is %s, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "ten", "10 s", "10x", "NaN", "1e3"} {
		if got, err := parseDuration(text); err == nil {
			t.Errorf("%q is %s", text, got)
		}
	}
}

// An operator sees everything that is wrong at once, by the names of the variables.
func TestParseReportsAllMistakesAtOnce(t *testing.T) {
	for name, c := range map[string]struct {
		environment map[string]string
		want        []string // a word of each mistake, in order
	}{
		"nothing set": {map[string]string{"REDIS_URL": "-", "ORCHESTRATOR_TOKEN": "-"}, []string{"REDIS_URL", "ORCHESTRATOR_TOKEN"}},
		"empty":       {with("REDIS_URL=", "ORCHESTRATOR_TOKEN="), []string{"REDIS_URL", "ORCHESTRATOR_TOKEN"}},
		"broken and wrong": {with("TOY_ATTEMPTS=many", "ORCH_DEADLINE=1s", "ORCH_LOG_FORMAT=xml"),
			[]string{"TOY_ATTEMPTS", "ORCH_DEADLINE is 1s", "ORCH_LOG_FORMAT"}},
		"everything": {with("REDIS_URL=-", "ORCHESTRATOR_TOKEN=a, b", "ORCH_DEADLINE=soon", "ORCH_LOG_LEVEL=loud", "ORCH_LOG_FORMAT=xml", "TOY_ATTEMPTS=0", "TOY_EVERY=x"),
			[]string{"REDIS_URL", "ORCH_DEADLINE: ", "ORCH_LOG_LEVEL: ", "TOY_EVERY: ", "ORCHESTRATOR_TOKEN", "ORCH_LOG_FORMAT", "must be positive"}},
		"no consequences of a broken one": {with("TOY_EVERY=x", "ORCH_DEADLINE=x"), []string{"ORCH_DEADLINE: ", "TOY_EVERY: "}},
		"tokens":                          {with("ORCHESTRATOR_TOKEN=,b"), []string{"token 1 of 2"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, mistakes := parsed(t, c.environment)
			if len(mistakes) != len(c.want) {
				t.Fatalf("%d mistakes, want %d:\n%s", len(mistakes), len(c.want), strings.Join(mistakes, "\n"))
			}
			for i, word := range c.want {
				if !strings.Contains(mistakes[i], word) {
					t.Errorf("mistake %d is %q, want %s", i+1, mistakes[i], word)
				}
			}
			for _, secret := range []string{"redispass", "tokenpass", "a, b"} {
				if strings.Contains(strings.Join(mistakes, "\n"), secret) {
					t.Errorf("a secret is repeated:\n%s", strings.Join(mistakes, "\n"))
				}
			}
		})
	}
}

func TestPrintMistakesIsAList(t *testing.T) {
	var text strings.Builder
	printMistakes(&text, "toy", errors.Join(errors.New("one"), errors.Join(errors.New("two"), fmt.Errorf("three"))))
	want := "toy: the configuration is invalid; --help explains every variable\n  - one\n  - two\n  - three\n"
	if text.String() != want {
		t.Error(text.String())
	}
}

func TestWriteHelpListsEveryVariable(t *testing.T) {
	for name, value := range sound {
		t.Setenv(name, value)
	}
	var text strings.Builder
	writeHelp[settings](&text, "toy", "is a test")
	rows := regexp.MustCompile(`(?m)^  ([A-Z_]+) +(\S+) +(\S.*)$`).FindAllStringSubmatch(text.String(), -1)
	var got [][]string
	for _, row := range rows {
		got = append(got, []string{row[1], row[2]})
	}
	want := [][]string{{"REDIS_URL", "(required)"}, {"ORCH_REDIS_CA_FILE", "-"}, {"ORCH_REDIS_CERT_FILE", "-"}, {"ORCH_REDIS_KEY_FILE", "-"},
		{"ORCH_REDIS_SERVER_NAME", "-"}, {"ORCHESTRATOR_TOKEN", "(required)"}, {"ORCH_DEADLINE", "24h"}, {"ORCH_LOG_LEVEL", "info"},
		{"ORCH_LOG_FORMAT", "json"}, {"TOY_ATTEMPTS", "30"}, {"TOY_EVERY", "10s"}, {"TOY_OPTIONAL", "-"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s\n(-want +got):\n%s", text.String(), diff)
	}
	if strings.Contains(text.String(), "pass@") || strings.Contains(text.String(), "tokenpass") {
		t.Error("the help shows values")
	}
}
