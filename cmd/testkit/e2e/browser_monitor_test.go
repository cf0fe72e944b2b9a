//go:build devcluster

package e2e

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// press presses the button, or follows the link, with this text.
func (b *browser) press(text string) {
	b.t.Helper()
	find := fmt.Sprintf(`[...document.querySelectorAll("main button, main a, header button")].find((e) => e.innerText.trim() === %q)`, text)
	b.until("there is "+text, find+" && !"+find+".disabled")
	b.run(find + ".click()")
}

func (b *browser) logIn(user, password string) {
	b.t.Helper()
	b.until("the login is there", `document.getElementById("password")`)
	b.run(fmt.Sprintf(`document.getElementById("user").value = %q, document.getElementById("password").value = %q, document.querySelector("main form").requestSubmit()`, user, password))
}

// fine fails the test if anything was refused by the policy, or has failed, on the page that is open.
func (b *browser) fine() {
	b.t.Helper()
	wrong, err := chromedp.Run(b.ctx, chromedp.Evaluate[[]string](`window.__wrong || []`))
	b.must(err)
	if len(wrong) > 0 {
		b.t.Errorf("%s: %s", b.peek(), strings.Join(wrong, "; "))
	}
}

// theme is how the system of the browser's user looks.
func (b *browser) theme(name string) {
	b.t.Helper()
	b.must(chromedp.Do(b.ctx, chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}}})
		return err
	})))
}

// accessible has axe look at the page in both themes: nothing of it may be serious.
func (b *browser) accessible(path string, axe string) {
	b.t.Helper()
	for _, theme := range []string{"light", "dark"} {
		b.theme(theme)
		b.open(path)
		_, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](axe+"; true"))
		b.must(err)
		found, err := chromedp.Run(b.ctx, chromedp.Evaluate[[]string](`axe.run({runOnly: ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]}).then((r) =>
			r.violations.filter((v) => v.impact === "serious" || v.impact === "critical").map((v) => v.id + ": " + v.nodes.map((n) => n.html.slice(0, 200)).join(" | ")))`, chromedp.EvalAwaitPromise))
		b.must(err)
		if len(found) > 0 {
			b.t.Errorf("%s, %s: %s", path, theme, strings.Join(found, "\n"))
		}
		b.fine()
		b.shoot(path, theme)
	}
}

// shoot writes screenshots of a page for people to look at, into the folder ORCH_TEST_SHOTS.
func (b *browser) shoot(path, theme string) {
	b.t.Helper()
	dir := os.Getenv("ORCH_TEST_SHOTS")
	if dir == "" {
		return
	}
	for _, width := range []int64{1280, 390} {
		b.must(chromedp.Do(b.ctx, chromedp.EmulateViewport(width, 800), chromedp.Navigate(b.base+path)))
		image, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
		b.must(err)
		name := strings.NewReplacer("/", "_", "?", "_", "=", "_").Replace(path)
		b.must(os.WriteFile(filepath.Join(dir, fmt.Sprintf("%s-%d-%s.png", name, width, theme)), image, 0o644))
	}
	b.must(chromedp.Do(b.ctx, chromedp.ResetViewport()))
}

// post sends a form as another program would, with the browser's session.
func (b *browser) post(session *http.Cookie, path string, headers map[string]string) int {
	b.t.Helper()
	req, err := http.NewRequest(http.MethodPost, b.base+path, strings.NewReader(url.Values{"generation": {"1"}}.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for name, value := range headers {
		req.Header.Set(name, value)
	}
	req.AddCookie(session)
	resp, err := unredirected.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}
