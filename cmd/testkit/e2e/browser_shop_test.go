//go:build realcluster

package e2e

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"maps"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	devlog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// window is a browser in which one person looks at one shop. It notes what a page must not do.
type window struct {
	*browser
	shots    string // folder for screenshots, or ""
	prefix   string // of their names
	origin   string
	harmless []harmless

	mu        sync.Mutex
	wrong     []string
	elsewhere []string                     // hosts besides the shop's that its pages ask
	asked     map[network.RequestID]string // of the shop, and not yet answered
}

// harmless is a complaint of the browser about something that is as it should be.
type harmless struct {
	complaint *regexp.Regexp
	why       string
}

// windowTime is the longest that one person looks.
const windowTime = 2 * time.Minute

// newWindow opens a browser that comes to the shop by the front door. It knows no other name.
func (tr *tour) newWindow(name string, known ...harmless) *window {
	t := tr.rig.t
	t.Helper()
	base := newBrowser(t, tr.origin(), chromedp.WindowSize(1280, 900), chromedp.Flag("lang", "en-US"),
		chromedp.Flag("host-resolver-rules", fmt.Sprintf("MAP %s %s, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", tr.store.Host, tr.front.host)),
		chromedp.Flag("ignore-certificate-errors-spki-list", tr.front.fingerprint(t, tr.store.Host)))
	var cancel context.CancelFunc
	base.ctx, cancel = context.WithTimeout(base.ctx, windowTime)
	t.Cleanup(cancel)
	w := &window{browser: base, shots: tr.options.shots, prefix: tr.store.Engine + "-" + name, origin: tr.origin(), harmless: known, asked: map[network.RequestID]string{}}
	w.must(chromedp.Listen(w.ctx, w.note))
	return w
}

// fingerprint is that of the key which the ingress presents for a host, after its certificate was found to be the shop's: Chromium has its
// authorities elsewhere, and takes this certificate besides.
func (f *front) fingerprint(t *testing.T, host string) string {
	t.Helper()
	port := f.port
	if port == "" {
		port = "443"
	}
	c, err := tls.Dial("tcp", net.JoinHostPort(f.host, port), &tls.Config{ServerName: host, RootCAs: f.trusts})
	if err != nil {
		t.Fatalf("the ingress has no certificate for %s: %v", host, err)
	}
	defer func() { _ = c.Close() }()
	sum := sha256.Sum256(c.ConnectionState().PeerCertificates[0].RawSubjectPublicKeyInfo)
	return base64.StdEncoding.EncodeToString(sum[:])
}

// note is called for each event of the page, in order.
func (w *window) note(event any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		if strings.HasPrefix(e.Request.URL, w.origin+"/") {
			w.asked[e.RequestID] = e.Request.URL
		}
		w.noteHost(e.Request.URL)
	case *network.EventResponseReceived:
		if e.Response.Status >= 400 && strings.HasPrefix(e.Response.URL, w.origin) {
			w.complain(fmt.Sprintf("%d %s", e.Response.Status, e.Response.URL))
		}
	case *page.EventFrameNavigated:
		if e.Frame.ParentID == "" { // what the page before has asked is answered to no page
			clear(w.asked)
		}
	case *network.EventLoadingFinished:
		delete(w.asked, e.RequestID)
	case *network.EventLoadingFailed:
		if at := w.asked[e.RequestID]; !e.Canceled && (at != "" || e.BlockedReason != "") {
			w.complain(fmt.Sprintf("%s failed: %s %s", at, e.ErrorText, e.BlockedReason))
		}
		delete(w.asked, e.RequestID)
	case *devlog.EventEntryAdded:
		w.noteEntry(e.Entry)
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError {
			w.complain("console: " + textOf(e.Args))
		}
	case *runtime.EventExceptionThrown:
		w.complain("exception: " + exceptionText(e.ExceptionDetails))
	}
}

// noteEntry leaves out what note hears of as a response or a failure.
func (w *window) noteEntry(e *devlog.Entry) {
	mixed := strings.Contains(e.Text, "Mixed Content")
	if mixed || e.Level == devlog.EntryLevelError && e.Source != devlog.EntrySourceNetwork {
		w.complain(fmt.Sprintf("log: %s %s", e.Text, e.URL))
	}
}

func (w *window) noteHost(at string) {
	u, err := url.Parse(at)
	if err == nil && u.Host != "" && u.Scheme != "blob" && !strings.HasPrefix(at, w.origin+"/") && !slices.Contains(w.elsewhere, u.Host) {
		w.elsewhere = append(w.elsewhere, u.Host)
	}
}

func (w *window) complain(text string) {
	known := slices.ContainsFunc(w.harmless, func(h harmless) bool { return h.complaint.MatchString(text) })
	if !known && !slices.Contains(w.wrong, text) {
		w.wrong = append(w.wrong, text)
	}
}

func textOf(args []*runtime.RemoteObject) string {
	var words []string
	for _, a := range args {
		words = append(words, string(a.Value)+a.Description)
	}
	return strings.Join(words, " ")
}

func exceptionText(d *runtime.ExceptionDetails) string {
	text := fmt.Sprintf("%s %s:%d", d.Text, d.URL, d.LineNumber)
	if d.Exception != nil {
		text += " " + d.Exception.Description
	}
	return text
}

// fine ends the test if something was wrong on a page so far, and says which other hosts the pages asked.
func (w *window) fine() string {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.wrong) > 0 {
		w.t.Fatalf("the browser complains:\n  %s", strings.Join(w.wrong, "\n  "))
	}
	if len(w.elsewhere) == 0 {
		return "no other host asked"
	}
	return "asked besides: " + strings.Join(w.elsewhere, ", ")
}

// settle waits until the page waits for nothing: a button that moves, or that is replaced when an answer comes, is missed by a click.
func (w *window) settle() {
	w.t.Helper()
	w.until("the page has what it asked for", `document.readyState === "complete" && !document.querySelector("[class*=skeleton], [class*=loading-mask], .animate-pulse")`)
	for end := time.Now().Add(pageSoon); ; time.Sleep(50 * time.Millisecond) {
		w.mu.Lock()
		open := slices.Collect(maps.Values(w.asked))
		w.mu.Unlock()
		if len(open) == 0 {
			return
		}
		if time.Now().After(end) {
			w.t.Fatalf("not answered within %s: %s", pageSoon, strings.Join(open, ", "))
		}
	}
}

// there waits until what a CSS selector finds can be used.
func (w *window) there(css string) {
	w.t.Helper()
	w.until("there is "+css, fmt.Sprintf(`(e => e && !e.disabled && e.getClientRects().length > 0)(document.querySelector(%q))`, css))
}

// click clicks what a CSS selector finds, once it is there and can be clicked.
func (w *window) click(css string) {
	w.t.Helper()
	w.there(css)
	w.must(w.soon(chromedp.Click(chromedp.CSS(css))))
}

// fill types into a field as a keyboard does, in place of what is there.
func (w *window) fill(css, text string) {
	w.t.Helper()
	w.there(css)
	w.run(fmt.Sprintf(`document.querySelector(%q).select()`, css))
	w.must(w.soon(chromedp.SendKeys(chromedp.CSS(css), text)))
}

// text is what an expression is.
func (w *window) text(expression string) string {
	w.t.Helper()
	text, err := chromedp.Run(w.ctx, chromedp.Evaluate[string](expression))
	w.must(err)
	return text
}

// soon is for actions that would wait for ever.
func (w *window) soon(action chromedp.Action[chromedp.Void]) error {
	ctx, cancel := context.WithTimeout(w.ctx, pageSoon)
	defer cancel()
	return chromedp.Do(ctx, action)
}

// painted waits for the images that are there, and for two frames. One that is loaded lazily is not there yet, and might never be.
const painted = `Promise.all([...document.images].filter((i) => i.complete).map((i) => i.decode().catch(() => {})))
	.then(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true)))))`

// shoot writes screenshots of the page as it is, for people to look at.
func (w *window) shoot(name string) {
	w.t.Helper()
	if w.shots == "" {
		return
	}
	for _, width := range []int64{390, 1280} { // the last one stays
		w.must(chromedp.Do(w.ctx, chromedp.EmulateViewport(width, 900)))
		w.settle()
		_, err := chromedp.Run(w.ctx, chromedp.Evaluate[bool](painted, chromedp.EvalAwaitPromise))
		w.must(err)
		image, err := chromedp.Run(w.ctx, chromedp.FullScreenshot(100))
		w.must(err)
		w.must(os.WriteFile(filepath.Join(w.shots, fmt.Sprintf("%s-%s-%d.png", w.prefix, name, width)), image, 0o644))
	}
}
