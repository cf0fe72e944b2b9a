package shop

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// Mode is how the shop of one host behaves.
type Mode string

// The modes.
const (
	OK            Mode = "ok"
	Installer     Mode = "installer"      // WordPress before its installation: everything leads to the installer
	ComingSoon    Mode = "coming-soon"    // WooCommerce hides the shop pages; everything else works
	RedirectLoop  Mode = "redirect-loop"  // every answer is a redirect to itself
	Broken        Mode = "500"            // the database is away
	Hang          Mode = "hang"           // no answer ever
	WrongPassword Mode = "wrong-password" // works, but refuses every login
)

var allModes = []Mode{OK, Installer, ComingSoon, RedirectLoop, Broken, Hang, WrongPassword}

func parseMode(name string) (Mode, error) {
	if slices.Contains(allModes, Mode(name)) {
		return Mode(name), nil
	}
	names := make([]string, len(allModes))
	for i, m := range allModes {
		names[i] = string(m)
	}
	return "", fmt.Errorf("there is no mode %q: say one of %s", name, strings.Join(names, ", "))
}

// modes holds the hosts that do not simply behave. The zero value is ready for use.
type modes struct {
	mu     sync.RWMutex
	byHost map[string]Mode
}

func (m *modes) of(host string) Mode {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if mode, ok := m.byHost[host]; ok {
		return mode
	}
	return OK
}

func (m *modes) set(host string, mode Mode) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.byHost == nil {
		m.byHost = map[string]Mode{}
	}
	m.byHost[host] = mode
}

func (m *modes) forget(host string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.byHost, host)
}

func (m *modes) all() map[string]Mode {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return maps.Clone(m.byHost)
}
