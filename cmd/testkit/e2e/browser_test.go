//go:build devcluster || realcluster

package e2e

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// pageSoon is how long a page may take to show what was asked for.
const pageSoon = 30 * time.Second

// watchPage is run in every page before its own scripts: what the policy forbids, and what fails, fails the test.
const watchPage = `window.__wrong = []; addEventListener("securitypolicyviolation", (e) => __wrong.push("policy: " + e.violatedDirective + " " + e.blockedURI));
addEventListener("error", (e) => __wrong.push("error: " + (e.message || e.target.src || e.target.href)), true); addEventListener("unhandledrejection", (e) => __wrong.push("rejected: " + e.reason));`

// browser is a headless Chromium at a monitor, or at a shop.
type browser struct {
	t    *testing.T
	ctx  context.Context
	base string
}

// newBrowser starts one. Without Chromium the test is not run; .ci/browser says so.
func newBrowser(t *testing.T, base string, flags ...chromedp.ExecAllocatorOption) *browser {
	t.Helper()
	path := os.Getenv("ORCH_TEST_CHROMIUM")
	if path == "" {
		t.Skip("NOT RUN: ORCH_TEST_CHROMIUM is not set; run through .ci/browser")
	}
	flags = append(flags, chromedp.ExecPath(path), chromedp.Headless, chromedp.NoSandbox, chromedp.Flag("disable-dev-shm-usage", true))
	ctx, stop := chromedp.NewExecAllocator(context.Background(), flags...)
	t.Cleanup(stop)
	ctx, cancel := chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	b := &browser{t, ctx, base}
	b.must(chromedp.Do(ctx, chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: watchPage})
		return err
	})))
	return b
}

func (b *browser) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatalf("%v; the page is %s", err, b.peek())
	}
}

// peek is what the page shows, for a message.
func (b *browser) peek() string {
	text, _ := chromedp.Run(b.ctx, chromedp.Evaluate[string](`location.href + "\n" + document.body.innerText`))
	return text
}

func (b *browser) open(path string) {
	b.t.Helper()
	b.visit(b.base + path)
}

func (b *browser) visit(address string) {
	b.t.Helper()
	b.must(chromedp.Do(b.ctx, chromedp.Navigate(address)))
}

// run evaluates an expression.
func (b *browser) run(expression string) {
	b.t.Helper()
	_, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool]("("+expression+", true)"))
	b.must(err)
}

func (b *browser) is(condition string) bool {
	b.t.Helper()
	is, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool]("!!("+condition+")"))
	b.must(err)
	return is
}

// until waits until a condition holds, on whatever page is there then.
func (b *browser) until(what, condition string) {
	b.t.Helper()
	for end := time.Now().Add(pageSoon); ; time.Sleep(50 * time.Millisecond) {
		is, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool]("!!("+condition+")"))
		if err == nil && is { // a page that is just being left has an error
			return
		}
		if time.Now().After(end) {
			b.t.Fatalf("not within %s: %s (%v); the page is %s", pageSoon, what, err, b.peek())
		}
	}
}

// shows waits until the page has a text.
func (b *browser) shows(text string) {
	b.t.Helper()
	b.until("it shows "+text, fmt.Sprintf("document.body.innerText.includes(%q)", text))
}
