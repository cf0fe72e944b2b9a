// Package localredis provides the Redis of a service on one machine: an external one, the system's redis-server as a child
// process, or one inside this process.
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

// The kinds of Redis. Any other value of [Options.Want] is a URL.
const (
	Auto     = "auto"
	System   = "system"
	Embedded = "embedded"
)

// minVersion is the first version that asynq's scripts run on.
var minVersion = version{6, 2}

type version struct{ major, minor int }

func (v version) below(w version) bool {
	return v.major < w.major || v.major == w.major && v.minor < w.minor
}

// choice is the Redis to use.
type choice struct {
	kind   string // System, Embedded or the URL
	source string // of a URL: the variable or flag that it comes from
	server server // of System
	why    string // why Embedded was chosen, if it was not requested
}

// server is an installed redis-server or valkey-server.
type server struct {
	path, name, version string
}

// machine is what choose reads from the machine.
type machine struct {
	lookPath func(string) (string, error)
	version  func(path string) (string, error)
}

var thisMachine = machine{exec.LookPath, serverVersion}

// choose returns the wanted Redis; for Auto it is the one at url, else the system's server, else the embedded one.
func choose(want, url string, machine machine) (choice, error) {
	switch want {
	case Embedded:
		return choice{kind: Embedded}, nil
	case Auto, "":
		if url != "" {
			return choice{kind: url, source: "REDIS_URL"}, nil
		}
	case System:
	default:
		if !strings.Contains(want, "://") {
			return choice{}, fmt.Errorf("--redis is %q; it must be auto, system, embedded or a URL", want)
		}
		return choice{kind: want, source: "--redis"}, nil
	}
	s, err := machine.find()
	if err == nil {
		return choice{kind: System, server: s}, nil
	}
	if want == System {
		return choice{}, fmt.Errorf("%w: install one (on Debian: apt-get install redis-server), or use --redis embedded", err)
	}
	return choice{kind: Embedded, why: err.Error()}, nil
}

// find returns the first server that is new enough.
func (m machine) find() (server, error) {
	var tooOld error
	for _, name := range []string{"redis-server", "valkey-server"} {
		path, err := m.lookPath(name)
		if err != nil {
			continue
		}
		text, err := m.version(path)
		if err != nil {
			tooOld = fmt.Errorf("the version of %s cannot be read: %w", path, err)
			continue
		}
		if parsed, ok := parseVersion(text); ok && !parsed.below(minVersion) {
			return server{path, name, text}, nil
		}
		tooOld = fmt.Errorf("%s has version %s, but 6.2 or later is required", path, text)
	}
	if tooOld != nil {
		return server{}, tooOld
	}
	return server{}, errors.New("there is no redis-server or valkey-server on PATH")
}

var versionInText = regexp.MustCompile(`\bv=(\S+)`)

func serverVersion(path string) (string, error) {
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
