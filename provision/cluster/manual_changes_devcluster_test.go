//go:build devcluster

package cluster

import (
	"context"
	"maps"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"

	"orchestrator/provision"
)

// manualChanges are made to a store in the cluster without the orchestrator.
var manualChanges = map[string]struct {
	do    func(l *life)
	fresh bool // the store starts from nothing
}{
	"namespace deleted": {func(l *life) {
		l.note(l.c.api.Clientset.CoreV1().Namespaces().Delete(l.Context(), l.s.Namespace, metav1.DeleteOptions{}))
	}, true},
	"namespace deleted, and gone": {func(l *life) {
		l.note(l.c.Namespaces.Remove(l.Context(), l.s))
	}, true},
	"release uninstalled": {func(l *life) { l.note(l.c.Releases.Remove(l.Context(), l.s)) }, false},
	"release's record deleted": {func(l *life) {
		l.note(l.c.api.Clientset.CoreV1().Secrets(l.s.Namespace).DeleteCollection(l.Context(), metav1.DeleteOptions{},
			metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector("type", "helm.sh/release.v1").String()}))
	}, false},
	"deployment deleted": {func(l *life) {
		l.note(l.c.api.Clientset.AppsV1().Deployments(l.s.Namespace).Delete(l.Context(), l.s.Name, metav1.DeleteOptions{}))
	}, false},
}

func (l *life) note(err error) {
	l.Helper()
	if err != nil {
		l.Fatal(err)
	}
}

func TestRunnerRepairsManualChanges(t *testing.T) {
	t.Parallel()
	for name, change := range manualChanges {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLife(t)
			l.must(provision.OpProvision, false)
			password, claims := l.password(), l.claims()
			change.do(l)
			l.must(provision.OpProvision, false)
			if same := l.password() == password && maps.Equal(l.claims(), claims); same == change.fresh {
				t.Errorf("same password and volumes: %t", same)
			}
			if d, err := l.c.api.Clientset.AppsV1().Deployments(l.s.Namespace).Get(t.Context(), l.s.Name, metav1.GetOptions{}); err != nil || d.Status.AvailableReplicas != 1 {
				t.Errorf("the deployment after it: %v", err)
			}
			change.do(l)
			l.must(provision.OpDelete, false)
			if _, err := l.c.api.Clientset.CoreV1().Namespaces().Get(t.Context(), l.s.Namespace, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
				t.Errorf("the namespace is there after the delete, or %v", err)
			}
		})
	}
}

// A store that is created again at once has nothing of the deleted one.
func TestRunnerStartsFromNothingAfterADelete(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	l.must(provision.OpProvision, false)
	password, claims := l.password(), l.claims()
	l.must(provision.OpDelete, false)
	l.must(provision.OpProvision, false)
	if l.password() == password {
		t.Error("the new store has the password of the old one")
	}
	now := l.claims()
	for name, uid := range claims {
		if now[name] == "" || now[name] == uid {
			t.Errorf("volume claim %s was %s and is %s", name, uid, now[name])
		}
	}
}

func TestCredentialsEnsureRefusesRetainedDataWithoutItsEntries(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(l *life){
		"the secret": func(l *life) {
			l.note(l.c.api.Clientset.CoreV1().Secrets(l.s.Namespace).Delete(l.Context(), provision.CredentialsSecret, metav1.DeleteOptions{}))
		},
		"one entry":   func(l *life) { l.patchSecret(`{"data":{"admin-password":null}}`) },
		"its content": func(l *life) { l.patchSecret(`{"metadata":{"annotations":null},"data":null}`) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLife(t)
			l.must(provision.OpProvision, false)
			l.must(provision.OpDelete, true)
			original := getSecret(t, l.c, l.s)
			lose(l)
			err := l.do(provision.OpProvision, false)
			wantCode(t, err, provision.CodeConflict)
			for _, word := range []string{l.s.Namespace, "data-shop-db-0", "files", "secret store-credentials", "restore the secret, or delete the store without retain_data"} {
				if !strings.Contains(provision.Public(err), word) {
					t.Errorf("%q does not say %q", provision.Public(err), word)
				}
			}
			l.restoreSecret(original)
			l.must(provision.OpProvision, false)
			if l.password() != string(original.Data[provision.AdminPassword]) {
				t.Error("the password has changed")
			}
			lose(l)
			l.must(provision.OpDelete, false)
		})
	}
}

func (l *life) patchSecret(patch string) {
	l.Helper()
	_, err := l.c.api.Clientset.CoreV1().Secrets(l.s.Namespace).Patch(l.Context(), provision.CredentialsSecret, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	l.note(err)
}

func (l *life) restoreSecret(original *corev1.Secret) {
	l.Helper()
	secrets := l.c.api.Clientset.CoreV1().Secrets(l.s.Namespace)
	if err := secrets.Delete(l.Context(), original.Name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
		l.Fatal(err)
	}
	back := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: original.Name, Labels: original.Labels}, Data: original.Data}
	_, err := secrets.Create(l.Context(), back, metav1.CreateOptions{})
	l.note(err)
}

// The error names what blocks a delete, whatever its kind.
func TestRunnerDeleteNamesWhatBlocksIt(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		hold, free func(l *life)
		words      []string
	}{
		"volume claim": {
			func(l *life) { hold(l.T, l.c, l.s, "files") },
			func(l *life) { letClaimGo(l.T, l.c, l.s, "files") },
			[]string{"persistentvolumeclaim files has the finalizers", "example.com/hold"},
		},
		"config map": {
			func(l *life) {
				stuck := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "stuck", Finalizers: []string{"example.com/hold"}}}
				_, err := l.c.api.Clientset.CoreV1().ConfigMaps(l.s.Namespace).Create(l.Context(), stuck, metav1.CreateOptions{})
				l.note(err)
			},
			func(l *life) { letGo(l.T, l.c, l.s, "stuck") },
			[]string{"configmap stuck has the finalizers example.com/hold"},
		},
		"namespace": {
			func(l *life) { l.finalize("kubernetes", "example.com/space") },
			func(l *life) { l.finalize() },
			[]string{"it has the finalizers example.com/space"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLife(t)
			l.must(provision.OpProvision, false)
			test.hold(l)
			t.Cleanup(func() { test.free(l) })
			l.r.DeleteTimeout = 30 * time.Second // enough for all that comes before the wait, on a busy machine too
			err := l.do(provision.OpDelete, false)
			wantCode(t, err, provision.CodeTimeout)
			for _, word := range append(test.words, l.s.Namespace) {
				if !strings.Contains(provision.Public(err), word) {
					t.Errorf("%q does not say %q", provision.Public(err), word)
				}
			}
		})
	}
}

// finalize sets the finalizers in the namespace's spec, which only the finalize request can.
func (l *life) finalize(names ...corev1.FinalizerName) {
	l.Helper()
	ns, err := l.c.api.Clientset.CoreV1().Namespaces().Get(context.Background(), l.s.Namespace, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return
	}
	l.note(err)
	ns.Spec.Finalizers, ns.ResourceVersion = names, "" // whatever else changes it
	_, err = l.c.api.Clientset.CoreV1().Namespaces().Finalize(context.Background(), ns, metav1.UpdateOptions{})
	l.note(err)
}
