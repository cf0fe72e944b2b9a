package callback

import (
	"encoding/json"
	"fmt"
	"html"
	"net"
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
		"JSON by numbers": `Pa\u003Css\u003E\u002Fw\u0026or\u0022d\u002B\u005C\u0025\u00FC`, "a query in lower case": "Pa" + strings.ToLower(url.QueryEscape(awkward)[2:]),
		"HTML with names": strings.ReplaceAll(html.EscapeString(awkward), "&#34;", "&quot;"),
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

func TestSendReasonHoldsNoSecretOfABrokenAnswer(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	m := ready()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Read(make([]byte, 4096))
			fmt.Fprintf(conn, "HTTP/1.1 400 Bad Request\r\n{\"password\":\"%s\"}%s\r\n\r\n", m.Password, strings.Repeat("x", 1<<20))
			conn.Close()
		}
	}()
	if r := send(t, "http://"+listener.Addr().String(), m); r.Outcome != Retry || strings.Contains(r.Reason, m.Password) || len(r.Reason) > 2*keptOfBody {
		t.Errorf("%d bytes: %.300s", len(r.Reason), r.Reason)
	}
}

func TestSendAnswerHoldsNoCredentialsOfTheURL(t *testing.T) {
	base, _ := backend(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, r.Header.Get("Authorization"), " basic-pw")
	})
	if r := send(t, strings.Replace(base, "http://", "http://ana:basic-pw@", 1), ready()); r.Answer != "Basic [hidden] [hidden]" {
		t.Errorf("answer %q", r.Answer)
	}
}

func TestHideJoinsNoSecret(t *testing.T) {
	if got := hide("pass\xffword", false, []string{"password"}); got != "[hidden]" {
		t.Errorf("%q", got)
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
