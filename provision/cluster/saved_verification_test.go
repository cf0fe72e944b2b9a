package cluster

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"orchestrator/provision"
)

func TestSetVerificationRecordsTheTimeOnce(t *testing.T) {
	secret := &corev1.Secret{}
	if !setVerification(secret, nil) || secret.Annotations[annotationVerified] == "" {
		t.Fatal("the proof was not noted")
	}
	first := secret.Annotations[annotationVerified]
	secret.Annotations[annotationVerified] = "earlier"
	if setVerification(secret, nil) || secret.Annotations[annotationVerified] != "earlier" {
		t.Errorf("%s was noted again", first)
	}
}

func TestSetVerificationKeepsCredentials(t *testing.T) {
	secret := &corev1.Secret{Data: map[string][]byte{"admin-password": []byte("secret"), "taken": []byte("secret, too")}}
	for i, outputs := range []provision.Outputs{
		{"publishable_key": "pk_1", "colour": "blue"}, {"publishable_key": "pk_2"}, {"publishable_key": "pk_2"}, nil,
	} {
		if changed := setVerification(secret, outputs); changed == (i == 2) {
			t.Errorf("%v: changed %t", outputs, changed)
		}
		if diff := cmp.Diff(outputs, outputsIn(secret)); diff != "" && len(outputs)+len(outputsIn(secret)) > 0 {
			t.Errorf("(-noted +found):\n%s", diff)
		}
	}
	setVerification(secret, provision.Outputs{"admin_password": "known to all", "colour": "red"})
	if string(secret.Data["admin-password"]) != "secret" {
		t.Error("a output took the place of a credential")
	}
	setVerification(secret, nil)
	want := map[string][]byte{"admin-password": []byte("secret"), "taken": []byte("secret, too")}
	if diff := cmp.Diff(want, secret.Data); diff != "" {
		t.Errorf("what is left (-want +got):\n%s", diff)
	}
}
