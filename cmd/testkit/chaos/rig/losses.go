package rig

import (
	"slices"
	"strings"
	"sync"
	"time"
)

// Losses are what gets lost between the services and Redis.
type Losses struct {
	mu       sync.Mutex
	verdicts int       // how many answers to a verdict are still to be lost
	accepts  int       // the same for an acceptance
	enqueues time.Time // until when ingest's tasks do not get through
	happened map[string]int
	blurred  map[string]bool // the stores of the lost acceptances
}

// Verdicts lets the answers to the next n verdicts be lost.
func (l *Losses) Verdicts(n int) { l.mu.Lock(); defer l.mu.Unlock(); l.verdicts = n }

// Accepts lets the answers to the next n acceptances be lost.
func (l *Losses) Accepts(n int) { l.mu.Lock(); defer l.mu.Unlock(); l.accepts = n }

// Enqueues keeps ingest for a while from putting tasks into queues.
func (l *Losses) Enqueues(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.enqueues = time.Now().Add(d)
}

// Happened returns how often each loss was seen.
func (l *Losses) Happened(what string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.happened[what]
}

// Blurred reports whether ingest may have recorded a request of the store twice.
func (l *Losses) Blurred(store string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.blurred[store]
}

// The losses, as they are counted.
const (
	LostVerdict = "answer to a verdict lost"
	LostAccept  = "answer to an acceptance lost"
	LostEnqueue = "task not put into its queue"
)

func (l *Losses) note(what string) {
	if l.happened == nil {
		l.happened = map[string]int{}
	}
	l.happened[what]++
}

// ofWorker treats a worker's command. Only a verdict names a status as a word of its own.
func (l *Losses) ofWorker(words []string) Treatment {
	if !isScript(words) || !slices.Contains(words, "READY") && !slices.Contains(words, "DELETED") {
		return Pass
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.verdicts == 0 {
		return Pass
	}
	l.verdicts--
	l.note(LostVerdict)
	return LoseReply
}

// ofIngest treats a command of ingest. Of the scripts only an acceptance touches the list of hosts; its keys are followed
// by the store's id.
func (l *Losses) ofIngest(words []string) Treatment {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch hosts := slices.Index(words, "{orch}:hosts"); {
	case isScript(words) && hosts > 0 && l.accepts > 0:
		l.accepts--
		l.note(LostAccept)
		l.blurred[strings.TrimPrefix(words[hosts-1], "{orch}:store:")] = true
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
