package cluster

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"orchestrator/provision"
)

func TestGenerateDrawsCharactersUniformly(t *testing.T) {
	const length = 62 * 1000
	made, err := generate(provision.Credential{Key: "k", Prefix: "p_", Length: length, Chars: provision.Alphanumeric})
	if err != nil {
		t.Fatal(err)
	}
	drawn, found := strings.CutPrefix(string(made), "p_")
	if !found || len(drawn) != length {
		t.Fatalf("%d characters, prefix %t", len(drawn), found)
	}
	for _, c := range provision.Alphanumeric {
		// 1000 expected with a deviation of 31; taking a byte modulo 62 would give eight characters 1210.
		if n := strings.Count(drawn, string(c)); n < 830 || n > 1170 {
			t.Errorf("%c was drawn %d times of an expected 1000", c, n)
		}
	}
}

func TestAddMissingChangesNoExistingEntry(t *testing.T) {
	s := testStore(1)
	want := []provision.Credential{{Key: "a", Length: 8, Chars: provision.Hex}, {Key: "b", Length: 8, Chars: provision.Hex}}
	secret := &corev1.Secret{Data: map[string][]byte{"a": []byte("kept"), "b": {}, "other": []byte("kept, too")}}
	if changed, err := addMissing(secret, s, want); err != nil || !changed {
		t.Fatalf("changed %t, error %v", changed, err)
	}
	if string(secret.Data["a"]) != "kept" || string(secret.Data["other"]) != "kept, too" || len(secret.Data["b"]) != 8 {
		t.Error("an entry was changed or not added")
	}
	if changed, err := addMissing(secret, s, want); err != nil || changed {
		t.Errorf("the second time: changed %t, error %v", changed, err)
	}
	_, err := addMissing(secret, s, []provision.Credential{{Key: "c"}})
	wantCode(t, err, provision.CodeInvalid)
}
