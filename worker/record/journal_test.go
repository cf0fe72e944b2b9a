package record

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"orchestrator/provision"
)

// try journals one try of a provision that gets to a step: the steps before are done. With a code the step fails.
func (b *bench) try(generation int64, minute int, step string, code provision.Code) {
	b.Helper()
	at := time.Date(2026, 1, 1, 0, minute, 0, 0, time.UTC)
	for _, name := range []string{provision.StepNamespace, provision.StepRelease, provision.StepReady} {
		s := provision.Step{At: at, Generation: generation, Op: provision.OpProvision, Name: name, State: provision.StepStarted}
		b.appendStep(s)
		s.State = provision.StepDone
		if name == step && code != "" {
			s.State, s.Code, s.Error = provision.StepFailed, code, fmt.Sprint("the text of minute ", minute)
		}
		b.appendStep(s)
		if name == step {
			return
		}
	}
}

func (b *bench) appendStep(s provision.Step) {
	b.Helper()
	if err := b.records.Runs.AppendStep(b.ctx, "a", s); err != nil {
		b.Fatal(err)
	}
}

// story is the journal in words: its failures with their tries, and the other steps by their first letter.
func (b *bench) story() string {
	b.Helper()
	var words []string
	for _, s := range b.state("a").Steps {
		word := s.Name[:1]
		if s.State == provision.StepFailed {
			word = fmt.Sprintf("%s:%s×%d", s.Name, s.Code, max(1, s.Tries))
			if s.Tries > 0 {
				word += s.Since.Format("@4") + "-" + s.At.Format("4")
			}
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

func TestAppendStepFoldsTriesThatFailAlike(t *testing.T) {
	each(t, func(b *bench) {
		b.accept(request("a"))
		b.try(1, 0, provision.StepReady, "")
		for minute := 1; minute <= 300; minute++ {
			b.try(2, minute%60, provision.StepRelease, provision.CodeUnavailable)
		}
		want := "n n r r r r n n r release:unavailable×300@1-0"
		if diff := cmp.Diff(want, b.story()); diff != "" {
			t.Errorf("the same failure 300 times: %s", diff)
		}
		if last := b.state("a").Steps[9]; last.Error != "the text of minute 0" || last.Generation != 2 {
			t.Errorf("kept is %+v", last)
		}
		b.try(2, 5, provision.StepRelease, provision.CodeInternal)
		b.try(2, 6, provision.StepRelease, provision.CodeUnavailable)
		b.try(2, 7, provision.StepNamespace, provision.CodeUnavailable)
		b.try(2, 8, provision.StepNamespace, provision.CodeUnavailable)
		b.try(3, 9, provision.StepNamespace, provision.CodeUnavailable)
		b.try(3, 10, provision.StepReady, "")
		want += " n n r release:internal×1 n n r release:unavailable×1 n namespace:unavailable×2@7-8 n namespace:unavailable×1 n n r r r r"
		if diff := cmp.Diff(want, b.story()); diff != "" {
			t.Errorf("other failures, another step, another generation: %s", diff)
		}
	})
}
