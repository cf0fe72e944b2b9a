package rig

import (
	"slices"
	"strings"
	"sync"
	"time"
)

// Losses decides which messages between the services and Redis get lost.
type Losses struct {
	mu        sync.Mutex
	outcomes  int       // how many replies to an outcome are still to be lost
	accepts   int       // the same for an acceptance
	enqueues  time.Time // until when ingest's tasks are lost
	happened  map[string]int
	ambiguous map[string]bool // the stores whose acceptances were lost
}

// Outcomes loses the replies to the next n outcomes that workers record.
func (l *Losses) Outcomes(n int) { l.mu.Lock(); defer l.mu.Unlock(); l.outcomes = n }

// Accepts loses the replies to the next n acceptances.
func (l *Losses) Accepts(n int) { l.mu.Lock(); defer l.mu.Unlock(); l.accepts = n }

// Enqueues loses every task that ingest enqueues for a while.
func (l *Losses) Enqueues(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.enqueues = time.Now().Add(d)
}

// Happened returns how often a loss happened.
func (l *Losses) Happened(what string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.happened[what]
}

// Ambiguous reports whether ingest may have recorded a request of the store twice.
func (l *Losses) Ambiguous(store string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ambiguous[store]
}

// The losses, as reports name them.
const (
	LostOutcome = "reply to an outcome lost"
	LostAccept  = "reply to an acceptance lost"
	LostEnqueue = "enqueued task lost"
)

func (l *Losses) note(what string) {
	if l.happened == nil {
		l.happened = map[string]int{}
	}
	l.happened[what]++
}

// ofWorker decides about a worker's command. Only the script that records an outcome has a status as an argument of its own.
func (l *Losses) ofWorker(words []string) Treatment {
	if !isScript(words) || !slices.Contains(words, "READY") && !slices.Contains(words, "DELETED") {
		return Pass
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.outcomes == 0 {
		return Pass
	}
	l.outcomes--
	l.note(LostOutcome)
	return LoseReply
}

// ofIngest decides about a command of ingest. Only the script that accepts a request uses the index of hosts; the key before
// it is the store's.
func (l *Losses) ofIngest(words []string) Treatment {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch hosts := slices.Index(words, "{orch}:hosts"); {
	case isScript(words) && hosts > 0 && l.accepts > 0:
		l.accepts--
		l.note(LostAccept)
		l.ambiguous[strings.TrimPrefix(words[hosts-1], "{orch}:store:")] = true
		return LoseReply
	case time.Now().Before(l.enqueues) && slices.ContainsFunc(words, func(w string) bool { return strings.HasPrefix(w, "asynq:") }):
		l.note(LostEnqueue)
		return Drop
	}
	return Pass
}

func isScript(words []string) bool {
	return len(words) > 0 && strings.HasPrefix(strings.ToLower(words[0]), "eval")
}
