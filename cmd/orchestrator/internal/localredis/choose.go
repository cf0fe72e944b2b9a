// Package localredis chooses the Redis of a service on one machine and runs it: one that was given, the system's redis-server
// as a child, or one inside this process.
package localredis

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// The ways to a Redis. Anything else that [Options.Want] may be is a URL.
const (
	Auto     = "auto"
	System   = "system"
	Embedded = "embedded"
)

// oldest is the first version that asynq's scripts run on.
var oldest = version{6, 2}

type version struct{ major, minor int }

func (v version) below(w version) bool {
	return v.major < w.major || v.major == w.major && v.minor < w.minor
}

// choice is which Redis to run, before anything is started.
type choice struct {
	way    string // System, Embedded or the URL
	server server // of System
	why    string // of Embedded, when it was not asked for
}

// server is a redis-server or valkey-server that can be started.
type server struct {
	path, name, version string
}

// system is what choose asks about the machine.
type system struct {
	lookPath func(string) (string, error)
	version  func(path string) (string, error)
}

var thisMachine = system{exec.LookPath, askVersion}

// choose follows what is wanted; left alone it takes the given URL, else the system's server, else the embedded one.
func choose(want, url string, machine system) (choice, error) {
	switch want {
	case Embedded:
		return choice{way: Embedded}, nil
	case Auto, "":
		if url != "" {
			return choice{way: url}, nil
		}
	case System:
	default:
		if !strings.Contains(want, "://") {
			return choice{}, fmt.Errorf("--redis is %q; it must be auto, system, embedded or a URL", want)
		}
		return choice{way: want}, nil
	}
	s, err := machine.find()
	if err == nil {
		return choice{way: System, server: s}, nil
	}
	if want == System {
		return choice{}, fmt.Errorf("%w: install one (on Debian: apt-get install redis-server), or say --redis embedded", err)
	}
	return choice{way: Embedded, why: err.Error()}, nil
}

// find returns the first server that is new enough.
func (m system) find() (server, error) {
	var tooOld error
	for _, name := range []string{"redis-server", "valkey-server"} {
		path, err := m.lookPath(name)
		if err != nil {
			continue
		}
		text, err := m.version(path)
		if err != nil {
			tooOld = fmt.Errorf("%s does not say its version: %w", path, err)
			continue
		}
		if parsed, ok := parseVersion(text); ok && !parsed.below(oldest) {
			return server{path, name, text}, nil
		}
		tooOld = fmt.Errorf("%s has version %s, 6.2 is needed", path, text)
	}
	if tooOld != nil {
		return server{}, tooOld
	}
	return server{}, errors.New("there is no redis-server or valkey-server on PATH")
}

var versionInText = regexp.MustCompile(`\bv=(\S+)`)

func askVersion(path string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	text, err := exec.CommandContext(ctx, path, "--version").Output()
	if err != nil {
		return "", err
	}
	if found := versionInText.FindSubmatch(text); found != nil {
		return string(found[1]), nil
	}
	return "", fmt.Errorf("%q", strings.TrimSpace(string(text)))
}

func parseVersion(text string) (version, bool) {
	parts := strings.Split(text, ".")
	if len(parts) < 2 {
		return version{}, false
	}
	major, err1 := strconv.Atoi(parts[0])
	minor, err2 := strconv.Atoi(parts[1])
	return version{major, minor}, err1 == nil && err2 == nil
}
