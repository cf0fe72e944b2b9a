package callback

import (
	"encoding/json"
	"html"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// awkward is a password that every way of writing changes.
const awkward = `Pa<ss>/w&or"d+\%ü`

func TestSendAnswerHoldsNoSecretInAnyForm(t *testing.T) {
	quoted, _ := json.Marshal(awkward)
	unescaped := strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(string(quoted))
	m := ready()
	m.Password = awkward
	for name, form := range map[string]string{
		"plain": awkward, "JSON": string(quoted), "JSON without HTML": unescaped, "JSON with slashes": strings.ReplaceAll(unescaped, "/", `\/`),
		"a query": url.QueryEscape(awkward), "a path": url.PathEscape(awkward), "HTML": html.EscapeString(awkward),
	} {
		for _, status := range []int{http.StatusOK, http.StatusBadRequest, http.StatusServiceUnavailable} {
			base, _ := backend(t, says(status, "got "+form+" twice: "+form))
			r := send(t, base, m)
			if r.HTTPStatus != status || r.Answer != "got "+hiddenAs(form)+" twice: "+hiddenAs(form) {
				t.Errorf("%s, %d: %+v", name, status, r)
			}
			if strings.Contains(r.Reason, "ss") && strings.Contains(r.Reason, "or") && strings.Contains(r.Reason, "Pa") {
				t.Errorf("%s: the reason has the password: %s", name, r.Reason)
			}
		}
	}
}

// hiddenAs is what is left of a secret: the quotes around it.
func hiddenAs(form string) string {
	if strings.HasPrefix(form, `"`) {
		return `"[hidden]"`
	}
	return "[hidden]"
}

func TestSendAnswerHoldsNoSignature(t *testing.T) {
	base, _ := backend(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(r.Header.Get("webhook-signature") + " " + url.QueryEscape(r.Header.Get("webhook-signature"))))
	})
	if r := newTestSender(t, base, testSecret+","+testSecret).Send(t.Context(), ready()); r.Answer != "v1,[hidden] v1,[hidden] v1%2C[hidden]+v1%2C[hidden]" {
		t.Errorf("answer %q", r.Answer)
	}
}

func TestSendAnswerIsCutAfterItsSecretsAreHidden(t *testing.T) {
	m := ready()
	for n := range len(m.Password) + 20 {
		base, _ := backend(t, says(400, strings.Repeat("é", (keptOfBody-n)/2)+m.Password+" and more of it, so that it is cut"))
		if r := send(t, base, m); strings.Contains(r.Answer, m.Password[:4]) || len(r.Answer) > keptOfBody || len(r.Answer) < keptOfBody-4 {
			t.Errorf("%d bytes: …%s", len(r.Answer), r.Answer[len(r.Answer)-20:])
		}
	}
}
