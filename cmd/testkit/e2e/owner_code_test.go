//go:build realcluster

package e2e

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"html"
	"mime/multipart"
	"net/http"
	"regexp"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// What owners do to the code of their shops, where its layout lets them: WooCommerce in the stock layout.

// mayChangeCode says whether the dashboard lets the owner who is logged in install plugins.
func (s woocommerce) mayChangeCode(owner *visitor) bool {
	owner.t.Helper()
	return owner.ask(http.MethodGet, "/wp-admin/plugin-install.php?tab=upload", nil).status == http.StatusOK
}

// ownCode has a plugin that dies and updates that are cut short.
func (tr *tour) ownCode() string {
	s, ok := tr.shopper.(woocommerce)
	if !ok {
		return "left out: this engine's dashboard changes no code"
	}
	owner := tr.visit()
	s.login(owner, tr.password)
	if !s.mayChangeCode(owner) {
		return "the layout lets the owner change no code, and the dashboard says so"
	}
	return strings.Join([]string{s.pluginDies(owner), s.installCutShort(s.visit()), s.updateCutShort()}, "; ")
}

// pluginDies installs a plugin that ends each request. The shop is down, which is the plugin's doing; the dashboard is reachable, and the link that
// WordPress mails to the owner leads there.
func (s woocommerce) pluginDies(owner *visitor) string {
	t := s.rig.t
	t.Helper()
	code := "<?php\n/** Plugin Name: E2E Dies */\nif ( 'activate' !== ( $_GET['action'] ?? '' ) ) { e2e_is_not_there(); }\n"
	page := s.installs(owner, "plugin", archiveOf(map[string]string{"e2e-dies/e2e-dies.php": code}))
	owner.ask(http.MethodGet, "/wp-admin/"+linkIn(owner, page, `plugins\.php\?action=activate[^"]*`), nil)
	s.isDown()
	ended := s.deletePod(s.tour.store)
	s.tour.eventually("the shop's pod is back in spite of the plugin", s.options.timeout, func() bool { return s.anotherPod(ended) })
	s.awaitWay()
	time.Sleep(35 * time.Second) // three probes of readiness
	if s.shopPod(s.tour.store) == nil {
		t.Fatal("a plugin that dies took the shop's pod out of its Service, and its owner out of the dashboard")
	}
	s.isDown()
	s.recovers()
	return "a plugin that dies is removed in the dashboard"
}

// isDown checks that it is WordPress that says so.
func (s woocommerce) isDown() {
	s.rig.t.Helper()
	a := s.visit().ask(http.MethodGet, "/", nil)
	if a.status != http.StatusInternalServerError || !strings.Contains(string(a.body), "critical error") {
		s.rig.t.Fatalf("with a plugin that dies the front page answers %d: %s", a.status, shorten(string(a.body)))
	}
}

// recovers removes the plugin as its owner would: by the link in WordPress's mail, or without a mail server by moving its folder away.
func (s woocommerce) recovers() {
	t := s.rig.t
	t.Helper()
	if s.mailbox == nil {
		s.runs(s.shopPod(s.tour.store), "rm", "-r", "wp-content/plugins/e2e-dies")
	} else {
		mail := s.letter(s.tour.store.Settings.AdminEmail, "enter_recovery_mode")
		owner := s.visit()
		owner.ask(http.MethodGet, regexp.MustCompile(`https?://\S*enter_recovery_mode\S*`).FindString(mail.text), nil)
		s.login(owner, s.password)
		plugins := owner.page("/wp-admin/plugins.php")
		owner.ask(http.MethodGet, "/wp-admin/"+linkIn(owner, plugins, `plugins\.php\?action=deactivate&amp;plugin=e2e-dies[^"]*`), nil)
	}
	s.tour.order = s.guestOrders()
}

// installCutShort ends the shop's pod while the owner installs a large theme. Afterwards the shop sells, and the theme can be installed.
func (s woocommerce) installCutShort(owner *visitor) string {
	t := s.rig.t
	t.Helper()
	files := map[string]string{"e2e-theme/style.css": "/*\nTheme Name: E2E\n*/\n", "e2e-theme/index.php": "<?php\n", "e2e-theme/templates/index.html": "<p>E2E</p>\n"}
	for i := range 4000 {
		files[fmt.Sprintf("e2e-theme/parts/%d.html", i)] = strings.Repeat("<p>much</p>", 50)
	}
	theme := archiveOf(files)
	s.login(owner, s.password)
	form, kind := s.installForm(owner, "theme", theme)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	begun := make(chan struct{})
	go func() {
		close(begun)
		req, _ := http.NewRequestWithContext(ctx, http.MethodPost, owner.origin+"/wp-admin/update.php?action=upload-theme", bytes.NewReader(form))
		req.Header.Set("Content-Type", kind)
		if resp, err := owner.client.Do(req); err == nil { // it is cut off, or came too early
			_ = resp.Body.Close()
		}
	}()
	<-begun
	pod := s.shopPod(s.tour.store)
	s.tour.eventually("the theme is being unpacked", time.Minute, func() bool {
		out, err := s.exec(pod, time.Minute, "sh", "-c", "ls -d wp-content/upgrade/*/ wp-content/themes/e2e-theme/")
		return err == nil || strings.Contains(out, "/")
	})
	seen := s.survives(func() (string, func() bool) {
		ended := s.endPods(selectorOf(pod))
		return "a theme's installation cut short", func() bool { return s.replaced(selectorOf(pod), ended) }
	})
	again := s.visit()
	s.login(again, s.password)
	s.installs(again, "theme", theme)
	return seen
}

// updateCutShort leaves what an update of WooCommerce leaves that ends at its worst moment: the notice, and the old code in neither place.
func (s woocommerce) updateCutShort() string {
	pod := s.shopPod(s.tour.store)
	return s.survives(func() (string, func() bool) {
		s.runs(pod, "sh", "-c", `mkdir -p wp-content/upgrade-temp-backup/plugins && mv wp-content/plugins/woocommerce wp-content/upgrade-temp-backup/plugins/ && echo "<?php \$upgrading = $(date +%s);" >.maintenance`)
		ended := s.endPods(selectorOf(pod))
		return "an update of WooCommerce cut short", func() bool { return s.replaced(selectorOf(pod), ended) }
	})
}

func selectorOf(pod *corev1.Pod) string {
	return "app.kubernetes.io/component=" + pod.Labels["app.kubernetes.io/component"]
}

func (s woocommerce) anotherPod(than types.UID) bool {
	time.Sleep(100 * time.Millisecond)
	pod := s.shopPod(s.tour.store)
	return pod != nil && pod.UID != than
}

// installs uploads a plugin or theme in the dashboard and returns the page that says that it is installed. One that is there is replaced.
func (s woocommerce) installs(owner *visitor, kind string, archive []byte) string {
	owner.t.Helper()
	form, form2 := s.installForm(owner, kind, archive)
	a := owner.ask(http.MethodPost, "/wp-admin/update.php?action=upload-"+kind, form, "Content-Type", form2)
	if page := string(a.body); strings.Contains(page, "installed successfully") {
		return page
	}
	page := owner.page("/wp-admin/" + linkIn(owner, string(a.body), `update\.php\?action=upload-`+kind+`&amp;[^"]*overwrite[^"]*`))
	if !strings.Contains(page, "successfully") {
		owner.t.Fatalf("the %s is not installed: %s", kind, shorten(page))
	}
	return page
}

func (s woocommerce) installForm(owner *visitor, kind string, archive []byte) (form []byte, contentType string) {
	owner.t.Helper()
	page := owner.page("/wp-admin/" + kind + "-install.php?tab=upload&upload")
	nonce := regexp.MustCompile(kind + `-upload[\s\S]*?name="_wpnonce" value="([^"]+)"|name="_wpnonce" value="([^"]+)"`).FindStringSubmatch(page)
	if nonce == nil {
		owner.t.Fatalf("the dashboard has no form for a %s: %s", kind, shorten(page))
	}
	var text bytes.Buffer
	w := multipart.NewWriter(&text)
	_ = w.WriteField("_wpnonce", nonce[1]+nonce[2]) // to memory, as are the others
	_ = w.WriteField("install-"+kind+"-submit", "Install Now")
	part, _ := w.CreateFormFile(kind+"zip", "e2e-"+kind+".zip")
	_, _ = part.Write(archive)
	_ = w.Close()
	return text.Bytes(), w.FormDataContentType()
}

// linkIn is the first link of a page that looks like this.
func linkIn(v *visitor, page, like string) string {
	v.t.Helper()
	found := regexp.MustCompile(like).FindString(page)
	if found == "" {
		v.t.Fatalf("the page has no link like %s: %s", like, shorten(page))
	}
	return html.UnescapeString(found)
}

func archiveOf(files map[string]string) []byte {
	var text bytes.Buffer
	w := zip.NewWriter(&text)
	for name, content := range files {
		f, _ := w.Create(name) // to memory
		_, _ = f.Write([]byte(content))
	}
	_ = w.Close()
	return text.Bytes()
}
