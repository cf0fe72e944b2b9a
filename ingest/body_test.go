package ingest

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
)

// TestSuspendedOfABody: absent and null are not false.
func TestSuspendedOfABody(t *testing.T) {
	for text, want := range map[string]string{"": "none", `null`: "none", `true`: "true", `false`: "false", `"yes"`: "422"} {
		f := &fake{}
		set := map[string]any{}
		if text != "" {
			set["suspended"] = json.RawMessage(text)
		}
		got := "none"
		switch a := newRig(t, f).send("POST", "/", store(set)); {
		case a.status == 422:
			got = "422"
		case len(f.got) == 1 && f.got[0].Suspend != nil:
			got = strconv.FormatBool(*f.got[0].Suspend)
		}
		if got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

func TestParseRefusesMalformedBodies(t *testing.T) {
	valid := store(nil)
	tests := map[string]string{
		"empty":                      "",
		"blank":                      " \n",
		"not JSON":                   "store_id=s-1",
		"cut off":                    valid[:len(valid)-1],
		"an array":                   "[" + valid + "]",
		"a string":                   `"s-1"`,
		"null":                       "null",
		"trailing data":              valid + "{}",
		"trailing garbage":           valid + " x",
		"trailing NUL":               valid + "\x00",
		"two byte order marks":       "\ufeff\ufeff" + valid,
		"not UTF-8":                  strings.Replace(valid, "shop-1", "shop\xff1", 1),
		"an overlong form":           strings.Replace(valid, "shop-1", "shop\xc0\xaf", 1),
		"half a surrogate pair":      strings.Replace(store(map[string]any{"creator_id": "X"}), `"X"`, `"\ud83e"`, 1),
		"the wrong half":             strings.Replace(store(map[string]any{"creator_id": "X"}), `"X"`, `"\uDDC0\ud83e"`, 1),
		"a key twice":                strings.Replace(valid, "{", `{"name":"other",`, 1),
		"a key twice by escape":      strings.Replace(valid, "{", `{"n\u0061me":"other",`, 1),
		"a key twice in settings":    strings.Replace(valid, "{", `{"settings":{"title":"a","title":"b"},`, 1),
		"an unknown key twice":       strings.Replace(valid, "{", `{"x":1,"x":1,`, 1),
		"an unknown key twice, deep": strings.Replace(valid, "{", `{"x":[{"y":{"z":1,"z":2}}],`, 1),
		"nested too deep":            strings.Replace(valid, "{", `{"x":`+strings.Repeat("[", 40)+strings.Repeat("]", 40)+`,`, 1),
		"nested without an end":      strings.Repeat("[", 60000),
		"a comment":                  "/* */" + valid,
		"a trailing comma":           strings.TrimSuffix(valid, "}") + ",}",
		"NaN":                        strings.Replace(valid, "{", `{"x":NaN,`, 1),
		"single quotes":              `{'store_id':'s-1'}`,
	}
	for name, body := range tests {
		r := newRig(t, &fake{})
		a := r.send("POST", "/", body)
		if a.status != 400 || a.body["type"] != "urn:orchestrator:problem:malformed" || len(r.got) != 0 {
			t.Errorf("%s: %d %s, handed over %d times", name, a.status, a.raw, len(r.got))
		}
	}
}

func TestParseAcceptsUnusualValidBodies(t *testing.T) {
	tests := map[string]string{
		"white space":           " \r\n\t" + store(nil) + "\n",
		"unknown fields":        store(map[string]any{"plan": "gold", "x": map[string]any{"a": []any{1, nil, 1e300}}}),
		"a number out of range": strings.Replace(store(nil), "{", `{"x":1e999,`, 1),
		"null is absent":        store(nil)[:1] + `"base_url":null,"creator_id":null,"settings":null,"action":null,"retain_data":null,` + store(nil)[1:],
		"null settings":         strings.Replace(store(nil), "{", `{"settings":{"title":null,"sample_product":null},`, 1),
		"escaped":               strings.Replace(store(nil), "shop-1", `\u0073hop\u002d1`, 1),
		"a surrogate pair":      strings.Replace(store(map[string]any{"creator_id": "X"}), `"X"`, `"\ud83e\uddc0"`, 1),
		"an escaped backslash":  strings.Replace(store(map[string]any{"creator_id": "X"}), `"X"`, `"\\ud83e"`, 1),
		"other cases":           strings.Replace(store(nil), "{", `{"NAME":"OTHER","Name":5,"Store_ID":"s-2","storeid":"s-3","Settings":7,"ACTION":"delete","Retain_Data":true,`, 1),
		"other cases behind":    strings.TrimSuffix(store(nil), "}") + `,"Name":"other","STORE_ID":"s-2"}`,
		"other case, nested":    strings.Replace(store(nil), "{", `{"settings":{"Currency":"x","CURRENCY":5},`, 1),
	}
	for name, body := range tests {
		r := newRig(t, &fake{})
		a := r.send("POST", "/", body)
		if a.status != 202 || len(r.got) != 1 || r.got[0].StoreID != "s-1" || r.got[0].Name != "shop-1" || r.got[0].Action != "provision" {
			t.Errorf("%s: %d %s, handed over %v", name, a.status, a.raw, r.got)
		}
	}
}

func TestDecodeIsCaseSensitive(t *testing.T) {
	r := newRig(t, &fake{})
	a := r.send("POST", "/", strings.Replace(store(nil), `"store_id"`, `"Store_ID"`, 1))
	if got := a.fields(); a.status != 422 || len(got) != 1 || got[0] != "store_id" {
		t.Errorf("%d %s", a.status, a.raw)
	}
}

func TestReadBodyChecksTheContentType(t *testing.T) {
	tests := map[string]int{
		"application/json":                   202,
		"application/json; charset=utf-8":    202,
		"application/json;charset=\"UTF-8\"": 202,
		"APPLICATION/JSON":                   202,
		"application/vnd.store.v1+json":      202,
		"-":                                  202, // missing
		"text/plain":                         400,
		"text/json+json":                     400,
		"application/x-www-form-urlencoded":  400,
		"application/json; charset=latin1":   400,
		"application/jsonp":                  400,
		"application/xml, application/json":  400,
		"json":                               400,
		";":                                  400,
	}
	for value, want := range tests {
		if a := newRig(t, &fake{}).send("POST", "/", store(nil), "Content-Type", value); a.status != want {
			t.Errorf("Content-Type %q: %d %s, want %d", value, a.status, a.raw, want)
		}
	}
	if a := newRig(t, &fake{}).send("POST", "/", store(nil), "Content-Encoding", "gzip"); a.status != 400 {
		t.Errorf("Content-Encoding gzip: %d, want 400", a.status)
	}
	if a := newRig(t, &fake{}).send("DELETE", "/stores/s-1", "", "Content-Type", "text/plain"); a.status != 202 {
		t.Errorf("a Content-Type without a body: %d, want 202", a.status)
	}
}

func TestReadBodyLimitsTheSize(t *testing.T) {
	fill := func(size int) string {
		return strings.Replace(store(nil), "{", `{"x":"`+strings.Repeat("x", size-len(store(nil))-len(`"x":"",`))+`",`, 1)
	}
	if a := newRig(t, &fake{}).send("POST", "/", fill(64<<10)); a.status != 202 {
		t.Errorf("64 KiB: %d %s", a.status, a.raw)
	}
	for _, method := range []string{"POST /", "DELETE /stores/s-1"} {
		verb, path, _ := strings.Cut(method, " ")
		r := newRig(t, &fake{})
		if a := r.send(verb, path, fill(64<<10+1)); a.status != 413 || len(r.got) != 0 {
			t.Errorf("%s with 64 KiB and a byte: %d %s", method, a.status, a.raw)
		}
	}
}

func TestReadBodyOfABrokenConnectionIsMalformed(t *testing.T) {
	r := newRig(t, &fake{})
	req := httptest.NewRequest("POST", "/", io.MultiReader(strings.NewReader(`{"store_id"`), broken{}))
	req.Header.Set(tokenHeader, testToken)
	w := httptest.NewRecorder()
	r.handler.ServeHTTP(w, req)
	if w.Code != http.StatusBadRequest {
		t.Errorf("%d, want 400", w.Code)
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("connection reset by peer") }
