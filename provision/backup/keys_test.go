package backup

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"orchestrator/provision"
)

const (
	one = "0123456789abcdef0123456789abcdef"
	two = "fedcba9876543210fedcba9876543210"
)

func parsed(t *testing.T, text string) Keys {
	t.Helper()
	keys, err := ParseKeys(text)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// TestDerivedPasswordsNeverChange: a password that is derived otherwise opens no repository that is there. The values are from another implementation of HKDF.
func TestDerivedPasswordsNeverChange(t *testing.T) {
	const label = "8d969eef6ecad3c29a3a629280e686cf"
	if got := provision.StoreLabel("123456"); got != label {
		t.Errorf("the store's label is %s, want %s", got, label)
	}
	keys := parsed(t, one)
	if got := keys.RepositoryPasswords("shops", label); !slices.Equal(got, []string{"f30eb80344a359f6dbae1fe4f9e898097766e5c6291be58f134ef43b00ab8236"}) {
		t.Errorf("repository: %q", got)
	}
	if got := keys.GatePasswords("shops", label); !slices.Equal(got, []string{"15941d2677a6af21c4540a81e7ec03ed5c98cc36a89b829dee1bd83eb7259217"}) {
		t.Errorf("gate: %q", got)
	}
}

func TestEveryKeyInstallationAndStoreHasPasswordsOfItsOwn(t *testing.T) {
	seen := map[string]string{}
	keys := parsed(t, one+","+two)
	for _, installation := range []string{"a", "b", "a.b"} {
		for _, label := range []string{provision.StoreLabel("1"), provision.StoreLabel("2")} {
			for kind, passwords := range map[string][]string{"repository": keys.RepositoryPasswords(installation, label), "gate": keys.GatePasswords(installation, label)} {
				for i, password := range passwords {
					where := fmt.Sprint(kind, installation, label, i)
					if other, ok := seen[password]; ok {
						t.Errorf("%s and %s have the same password", where, other)
					}
					seen[password] = where
				}
			}
		}
	}
	if len(seen) != 24 {
		t.Errorf("%d passwords, want 24", len(seen))
	}
}

func TestANewKeyIsFirst(t *testing.T) {
	before, after := parsed(t, one).RepositoryPasswords("a", "b"), parsed(t, two+","+one).RepositoryPasswords("a", "b")
	if len(after) != 2 || after[1] != before[0] {
		t.Errorf("with a new key in front: %q, before: %q", after, before)
	}
}

func TestKeysThatAreRefused(t *testing.T) {
	for text, want := range map[string]string{
		"":                    "there is no key",
		one[1:]:               "key 1 of 1 has 31 characters",
		one + ",":             "key 2 of 2 has 0 characters",
		one + "," + one:       "key 2 of 2 is key 1 again",
		one + "\n":            "key 1 of 1 has a space",
		one + ", " + two:      "key 2 of 2 has a space",
		one + "," + two + "ä": "key 2 of 2 has a space, a line's end or a character that is not ASCII",
	} {
		keys, err := ParseKeys(text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q", text, err, want)
			continue
		}
		if !keys.IsZero() || strings.Contains(err.Error(), one[1:]) || strings.Contains(err.Error(), two) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestKeysAreNeverPrinted(t *testing.T) {
	var keys Keys
	if err := keys.UnmarshalText([]byte(one + "," + two)); err != nil {
		t.Fatal(err)
	}
	config := struct{ Keys Keys }{keys}
	var out strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&out, verb+verb+verb+"\n", keys, config, &config)
	}
	slog.New(slog.NewTextHandler(&out, nil)).Info("text", "keys", keys, "config", config)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("json", "keys", keys, "config", config)
	if err := json.NewEncoder(&out).Encode(config); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{one, two, fmt.Sprintf("%x", one)} {
		if strings.Contains(out.String(), key) {
			t.Errorf("a key is printed:\n%s", &out)
		}
	}
}

func TestListsWithAKeyInCommon(t *testing.T) {
	if a, b := parsed(t, one), parsed(t, two+","+one); !a.Shares(b) || !b.Shares(a) || a.Shares(parsed(t, two)) || a.Shares(Keys{}) {
		t.Error("lists with a key in common are not told from others")
	}
}

func TestPaths(t *testing.T) {
	label := provision.StoreLabel("1")
	for _, installation := range []string{"a", "shops.orchestrator", "generated-abc", strings.Repeat("a", 63)} {
		for _, rest := range []string{"", "config", "data/", "../x"} {
			if i, l, r, ok := ParsePath(Path(installation, label) + rest); !ok || i != installation || l != label || r != rest {
				t.Errorf("%s and %q: %q, %q, %q, %t", installation, rest, i, l, r, ok)
			}
		}
	}
	for _, path := range []string{"", "/", "/a", "/a/" + label, "a/" + label + "/", "//" + label + "/", "/../" + label + "/", "/-a/" + label + "/", "/a-/" + label + "/",
		"/a/" + label[1:] + "/", "/a/" + label + "0/", "/a/" + strings.ToUpper(label) + "/", "/a//" + label + "/", "/a b/" + label + "/", "/a%2f/" + label + "/", "/a\n/" + label + "/",
		"/" + strings.Repeat("a", 64) + "/" + label + "/"} {
		if _, _, _, ok := ParsePath(path); ok {
			t.Errorf("%q is a store's path", path)
		}
	}
}

// FuzzParsePath: what is taken apart is what Path makes, and names one folder below one folder.
func FuzzParsePath(f *testing.F) {
	for _, path := range []string{"/a/" + provision.StoreLabel("1") + "/data/x", "/a/b/", "//", "/../../", "/a/\x00/"} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		installation, label, rest, ok := ParsePath(path)
		if !ok {
			return
		}
		if Path(installation, label)+rest != path {
			t.Errorf("%q is taken apart into %q, %q and %q", path, installation, label, rest)
		}
		if installation == "." || installation == ".." || strings.ContainsAny(installation+label, "/\\%\x00 ") || len(label) != 32 {
			t.Errorf("%q is installation %q and label %q", path, installation, label)
		}
	})
}
