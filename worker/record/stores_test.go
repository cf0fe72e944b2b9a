package record

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"orchestrator/provision"
)

func TestStoreShowsWhatIsKnown(t *testing.T) {
	each(t, func(b *bench) {
		if _, ok, err := b.records.Requests.Store(b.ctx, "unknown"); ok || err != nil {
			b.Errorf("an unknown store: %v, %v", ok, err)
		}
		req := request("a")
		req.CreatorID = "creator"
		task := b.accept(req)
		run := b.acquire(task, "run")
		want := provision.State{StoreID: "a", Request: &req, Name: req.Name, Engine: req.Engine, Namespace: req.Namespace, Host: req.Host,
			StoreURL: req.StoreURL, CreatorID: "creator", Action: provision.OpProvision, Generation: task.Generation, TaskID: task.ID(),
			Status: provision.StatusProvisioning, Running: true, AcceptedAt: time.UnixMilli(task.Generation).UTC(),
			Deadline: time.UnixMilli(task.Generation).Add(generationTimeout).UTC(), Steps: []provision.Step{},
			History: []provision.Generation{{Generation: task.Generation, Op: provision.OpProvision, Status: provision.StatusProvisioning, AcceptedAt: time.UnixMilli(task.Generation).UTC()}}}
		if diff := cmp.Diff(want, b.state("a")); diff != "" {
			b.Error(diff)
		}
		b.release(run, RunEnd{})
		del := b.accept(deletion("a"))
		if s := b.state("a"); s.DeleteGeneration != 0 || s.Host != req.Host || s.Status != provision.StatusDeleting {
			b.Errorf("while it is deleted: %+v", s)
		}
		next := b.accept(req)
		if s := b.state("a"); s.DeleteGeneration != del.Generation || s.Generation != next.Generation {
			b.Errorf("with a provision that waits: %+v", s)
		}
	})
}

func (b *bench) page(cursor string, limit int) ([]string, string) {
	b.Helper()
	page, err := b.records.Requests.Find(b.ctx, provision.StoreFilter{}, cursor, limit)
	var ids []string
	for _, s := range must(b, page, err).Stores {
		ids = append(ids, s.StoreID)
	}
	return ids, page.Next
}

func TestStoresArePagedFromTheNewest(t *testing.T) {
	each(t, func(b *bench) {
		if ids, next := b.page("", 10); ids != nil || next != "" {
			b.Errorf("without stores: %v, %q", ids, next)
		}
		var want []string
		for i := range 25 {
			id := "s" + strconv.Itoa(i)
			b.accept(request(id))
			want = append([]string{id}, want...)
		}
		var got []string
		pages, cursor := 0, ""
		for ; pages == 0 || cursor != ""; pages++ {
			var ids []string
			ids, cursor = b.page(cursor, 5)
			got = append(got, ids...)
		}
		if diff := cmp.Diff(want, got); diff != "" || pages != 5 {
			b.Errorf("%d pages: %s", pages, diff)
		}
		b.accept(titled(request("s0"), "new"))
		if ids, next := b.page("", 1); len(ids) != 1 || ids[0] != "s0" || next == "" {
			b.Errorf("the newest is %v, then %q", ids, next)
		}
		if ids, _ := b.page("", 0); len(ids) != 1 {
			b.Errorf("a page of no length has %v", ids)
		}
	})
}

// A page may end between two stores that were accepted at once: none of them may be left out.
func TestStoresAcceptedTogetherAreAllListed(t *testing.T) {
	each(t, func(b *bench) {
		const n = 60
		errs := make(chan error, n)
		for i := range n {
			go func() {
				_, err := b.records.Requests.Accept(b.ctx, request("s"+strconv.Itoa(i)), generationTimeout)
				errs <- err
			}()
		}
		for range n {
			if err := <-errs; err != nil {
				b.Fatal(err)
			}
		}
		seen, cursor := map[string]bool{}, ""
		for first := true; first || cursor != ""; first = false {
			var ids []string
			ids, cursor = b.page(cursor, 1)
			for _, id := range ids {
				seen[id] = true
			}
		}
		if len(seen) != n {
			b.Errorf("pages of one list %d stores of %d", len(seen), n)
		}
	})
}

func TestStoresRefusesAnInvalidCursor(t *testing.T) {
	each(t, func(b *bench) {
		for _, cursor := range []string{"x", "1.5", "(1", "+inf", "1 2", "99999999999999999999"} {
			if _, err := b.records.Requests.Find(b.ctx, provision.StoreFilter{}, cursor, 10); provision.CodeOf(err) != provision.CodeInvalid {
				b.Errorf("cursor %q: %v", cursor, err)
			}
		}
	})
}

func TestAcquireRefusesABrokenRecord(t *testing.T) {
	each(t, func(b *bench) {
		task := b.accept(request("a"))
		b.redis.HSet(b.ctx, keyStore("a"), "request", "{")
		if s := b.state("a"); s.Generation != task.Generation {
			b.Errorf("shown as %+v", s)
		}
		if _, _, err := b.records.Runs.Acquire(b.ctx, task, "run", leaseTTL, false); err == nil {
			b.Error("a record without a request was acquired")
		}
		b.redis.HDel(b.ctx, keyStore("a"), "request")
		if _, _, err := b.records.Runs.Acquire(b.ctx, task, "run", leaseTTL, false); err == nil {
			b.Error("a record without a request was acquired")
		}
	})
}

func TestAppendStepCapsTheJournal(t *testing.T) {
	each(t, func(b *bench) {
		b.accept(request("a"))
		const n = 5 * journalLength
		for i := range n {
			step := provision.Step{At: time.UnixMilli(int64(i)).UTC(), Op: provision.OpProvision, Name: []string{provision.StepReady, provision.StepVerify}[i%2],
				State: provision.StepFailed, Millis: int64(i), Code: provision.CodeImage, Error: "<no> \"image\""}
			if err := b.records.Runs.AppendStep(b.ctx, "a", step); err != nil {
				b.Fatal(err)
			}
		}
		// About: a real Redis trims whole nodes of a hundred entries.
		if kept := b.redis.XLen(b.ctx, keyJournal("a")).Val(); kept < journalLength || kept > 2*journalLength {
			b.Errorf("the journal keeps %d steps", kept)
		}
		steps := b.state("a").Steps
		if len(steps) != journalLength {
			b.Fatalf("%d steps are shown", len(steps))
		}
		for i, step := range steps {
			if step.Millis != int64(n-journalLength+i) || step.Error != "<no> \"image\"" || !step.At.Equal(time.UnixMilli(step.Millis)) {
				b.Fatalf("step %d is %+v", i, step)
			}
		}
		if page, err := b.records.Requests.Find(b.ctx, provision.StoreFilter{}, "", 1); err != nil || page.Stores[0].Steps != nil {
			b.Errorf("a list with steps: %+v, %v", page, err)
		}
	})
}

// Records expire, their ids in the list do not: a page must not be empty because of them.
func TestStoresReadsOverExpiredRecords(t *testing.T) {
	each(t, func(b *bench) {
		b.accept(request("oldest"))
		for i := range 20 {
			id := "s" + strconv.Itoa(i)
			b.accept(request(id))
			b.redis.Del(b.ctx, keyStore(id))
		}
		b.accept(request("newest"))
		ids, next := b.page("", 2)
		if !slices.Equal(ids, []string{"newest", "oldest"}) || next != "" {
			b.Errorf("listed %v, then %q", ids, next)
		}
		if left := b.redis.ZCard(b.ctx, keyStores).Val(); left != 2 {
			b.Errorf("%d ids are left in the list, want 2", left)
		}
	})
}
