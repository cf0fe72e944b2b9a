//go:build devcluster

package e2e

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"orchestrator/provision"
)

// pagesRig is an installation with a monitor, whose stores fit on a node only while that has a label.
type pagesRig struct {
	*rig
	world
	*browser
	label string
	node  string
}

func newPagesRig(t *testing.T) *pagesRig {
	t.Helper()
	p := &pagesRig{label: "e2e/" + store(t, "pages").StoreID}
	dir, site := t.TempDir(), freeAddr(t)
	p.browser = newBrowser(t, "http://"+site)
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	hash, err := bcrypt.GenerateFromPassword([]byte("correct horse"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	p.rig = newRig(t, "STORE_VALUES_FILE="+write("values.yaml", fmt.Sprintf("common:\n  scheduling:\n    nodeSelector: {%q: \"yes\"}\n", p.label)),
		"ORCH_MONITOR_ADDR="+site, "ORCH_MONITOR_USERS_FILE="+write("users", "ana operator "+string(hash)+"\nvic viewer "+string(hash)+"\n"), "ORCH_POLL_ATTEMPTS=1", "ORCH_POLL_INTERVAL=15s")
	p.world = newWorld(t)
	nodes, err := p.world.k.CoreV1().Nodes().List(context.Background(), metav1.ListOptions{Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	p.node = nodes.Items[0].Name
	t.Cleanup(func() { p.fits("null") })
	p.rig.start("worker")
	p.rig.start("monitor")
	p.eventually("the monitor answers", soonEnough, func() bool {
		resp, err := http.Get("http://" + site + "/healthz")
		if err == nil {
			resp.Body.Close()
		}
		return err == nil
	})
	return p
}

// fits lets stores be scheduled, or not.
func (p *pagesRig) fits(value string) {
	patch := fmt.Appendf(nil, `{"metadata":{"labels":{%q:%s}}}`, p.label, value)
	if _, err := p.world.k.CoreV1().Nodes().Patch(context.Background(), p.node, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		p.rig.t.Error(err)
	}
}

// An operator finds what is wrong, mends it, presses the button, and sees it arrive; a viewer sees the same and changes nothing.
func TestOperatorsMendWhatTheySee(t *testing.T) {
	t.Parallel()
	p := newPagesRig(t)
	p.fits(`"yes"`)
	good, refused := store(t, "woocommerce"), store(t, "medusa")
	p.backend.refuse(refused.StoreID)
	p.submit(good)
	p.submit(refused)
	p.awaitStatus(good.StoreID, provision.StatusReady, 1)
	p.eventually("READY is a dead letter", soonEnough, func() bool { return p.state(refused.StoreID).DeadLetterID != "" })
	p.fits("null")
	broken := store(t, "woocommerce")
	p.submit(broken)
	p.eventually("it is told what it waits for", soonEnough, func() bool { return strings.Contains(p.state(broken.StoreID).WaitsFor, "0 of 1 pods available") })
	p.eventually("a store has failed", soonEnough, func() bool { return p.state(broken.StoreID).Status == provision.StatusFailed })

	p.shootsWhatIsWrong(broken)
	p.findsTheCause(broken)
	p.retriesUntilReady(broken)
	p.replays(refused)
	p.suspendsAndResumes(good)
	p.pagesAreAccessible(good)
	p.deletesWhatIsMeant(good)
	p.othersChangeNothing(refused)
}

// shootsWhatIsWrong has the screenshots that docs show.
func (p *pagesRig) shootsWhatIsWrong(broken provision.Request) {
	if os.Getenv("ORCH_TEST_SHOTS") == "" {
		return
	}
	b := p.browser
	b.open("/login")
	b.logIn("ana", "correct horse")
	b.shows("ana · operator")
	for _, path := range []string{"/", "/stores", "/stores/" + broken.StoreID, "/dead-letters"} {
		for _, theme := range []string{"light", "dark"} {
			b.theme(theme)
			b.shoot(path, "wrong-"+theme)
		}
	}
	b.press("Log out")
	b.until("the login is there", `document.getElementById("password")`)
}

func (p *pagesRig) findsTheCause(broken provision.Request) {
	b := p.browser
	b.open("/runbook#orchestratorstorestuck")
	b.logIn("ana", "correct horse")
	b.until("the section that was wanted is there", `location.pathname + location.hash === "/runbook#orchestratorstorestuck"`)
	b.press("Log out")
	b.until("the login is there", `document.getElementById("password")`)
	b.open("/stores?status=FAILED")
	b.logIn("ana", "wrong")
	b.shows("The name or the password is wrong.")
	b.logIn("ana", "correct horse")
	b.until("the page that was wanted is there", `location.search === "?status=FAILED" && document.querySelector("h1").innerText === "Stores"`)
	b.open("/")
	b.shows("1 store has FAILED")
	b.press("Failed stores")
	b.until("the store is listed", fmt.Sprintf(`[...document.querySelectorAll("td a")].some((a) => a.innerText === %q)`, broken.StoreID))
	b.press(broken.StoreID)
	b.shows("Fix the cause, then retry")
	b.shows("didn't match") // the scheduler's own words
	b.fine()
}

// The page is the same one when READY arrives: it was not loaded again.
func (p *pagesRig) retriesUntilReady(broken provision.Request) {
	b := p.browser
	p.fits(`"yes"`)
	b.press("Retry")
	b.shows("The request is accepted once more.")
	b.run(`window.sameDocument = true`)
	b.until("READY arrives", `window.sameDocument && document.querySelector("main .head .status").innerText.includes("READY")`)
	b.until("and its callback", `document.querySelector("main").innerText.includes("✓ delivered")`)
	b.fine()
	p.awaitStatusAfterFailure(broken.StoreID)
}

// awaitStatusAfterFailure is that the backend has heard READY in the end.
func (p *pagesRig) awaitStatusAfterFailure(id string) {
	p.eventually("READY is told", soonEnough, func() bool {
		all := p.backend.of(id)
		return len(all) > 0 && all[len(all)-1].Status == provision.StatusReady
	})
}

func (p *pagesRig) replays(refused provision.Request) {
	b := p.browser
	p.backend.accept(refused.StoreID)
	b.open("/")
	b.press("Dead letters")
	b.shows(refused.StoreID)
	b.press("Replay")
	p.awaitStatusAfterFailure(refused.StoreID)
	b.open("/dead-letters")
	b.shows("None")
}

func (p *pagesRig) suspendsAndResumes(good provision.Request) {
	b := p.browser
	b.open("/stores/" + good.StoreID)
	b.press("Suspend…")
	b.until("it asks", `document.getElementById("reason")`)
	b.run(`document.getElementById("reason").value = "not paid"`)
	b.press("Suspend")
	b.until("it is suspended", `document.querySelector("main .head .status").innerText.includes("SUSPENDED")`)
	b.press("Resume")
	b.until("it is up", `document.querySelector("main .head .status").innerText.includes("READY") && !document.querySelector("main .head").innerText.includes("suspended")`)
	b.fine()
}

func (p *pagesRig) pagesAreAccessible(s provision.Request) {
	text, err := os.ReadFile(must(p.rig.t, "ORCH_TEST_AXE"))
	if err != nil {
		p.rig.t.Fatal(err)
	}
	for _, path := range []string{"/", "/stores", "/stores/" + s.StoreID, "/stores/" + s.StoreID + "/delete", "/stores/unknown", "/dead-letters", "/attention", "/attention?kind=hold", "/rollout", "/clusters", "/runbook", "/login"} {
		p.accessible(path, string(text))
	}
}

func (p *pagesRig) deletesWhatIsMeant(good provision.Request) {
	b := p.browser
	b.open("/stores/" + good.StoreID + "/delete")
	b.run(`document.getElementById("typed").value = "another"`)
	b.press("Delete")
	b.shows("to show that this store is meant")
	b.run(fmt.Sprintf(`document.getElementById("typed").value = %q`, good.StoreID))
	b.press("Delete")
	b.until("it is gone", `document.querySelector("main .head .status").innerText.includes("DELETED")`)
	p.awaitStatus(good.StoreID, provision.StatusDeleted, 1)
}

func (p *pagesRig) othersChangeNothing(s provision.Request) {
	b, retry := p.browser, "/stores/"+s.StoreID+"/retry"
	if code := b.post(logIn(p.rig.t, b.base, "ana", "correct horse"), retry, map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}); code != http.StatusForbidden {
		p.rig.t.Errorf("the form of another site is answered with %d", code)
	}
	viewer := logIn(p.rig.t, b.base, "vic", "correct horse")
	for _, path := range []string{retry, "/dead-letters/1.1.x/replay", "/rollout/pause", "/holds/default/medusa/release"} {
		if code := b.post(viewer, path, nil); code != http.StatusForbidden {
			p.rig.t.Errorf("a viewer's POST %s is answered with %d", path, code)
		}
	}
	b.open("/stores")
	b.press("Log out")
	b.logIn("vic", "correct horse")
	b.shows("vic · viewer")
	for _, path := range []string{"/", "/stores", "/stores/" + s.StoreID, "/dead-letters", "/attention?kind=hold", "/rollout"} {
		b.open(path)
		if !b.is(`document.querySelector("main h1")`) || b.is(`document.querySelector("main button:not(.filters button), main .danger")`) {
			p.rig.t.Errorf("a viewer sees a button on %s: %s", path, b.peek())
		}
	}
	if !strings.Contains(b.peek(), "vic") {
		p.rig.t.Error("it is not the viewer's page")
	}
}
