//go:build devcluster

package cluster

import (
	"context"
	"maps"
	"reflect"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"orchestrator/provision"
)

// keepingEngine installs a volume claim of each kind: one that a StatefulSet makes, and one that Helm keeps by its annotation.
type keepingEngine struct{ tinyEngine }

func (keepingEngine) Release(s provision.Store) (provision.Release, error) {
	return tinyRelease(s, map[string]any{"keptClaim": "files"}), nil
}

// life carries out one operation after the other on one store.
type life struct {
	*testing.T
	c *Cluster
	r *provision.Runner
	s provision.Store
}

func newLife(t *testing.T) *life {
	c := watching(t, devCluster(t))
	r := devRunner(c)
	r.Engines["tiny"] = keepingEngine{}
	return &life{t, c, r, devStore(t, c)}
}

func (l *life) do(op provision.Op, retain bool) error {
	l.Helper()
	l.s.Generation++
	l.s.RetainData = retain
	defer func() { l.s.RetainData = false }()
	return l.r.Run(l.Context(), op, l.s, func(provision.Step) {})
}

func (l *life) must(op provision.Op, retain bool) {
	l.Helper()
	if err := l.do(op, retain); err != nil {
		l.Fatalf("%s: %v", op, err)
	}
}

func (l *life) password() string {
	l.Helper()
	password, err := l.c.Credentials.Password(l.Context(), l.s)
	if err != nil {
		l.Fatal(err)
	}
	return password
}

// claims are the names of the store's volume claims with their UIDs: the same data has the same ones.
func (l *life) claims() map[string]string {
	l.Helper()
	list, err := l.c.api.Clientset.CoreV1().PersistentVolumeClaims(l.s.Namespace).List(l.Context(), metav1.ListOptions{})
	if err != nil {
		l.Fatal(err)
	}
	found := map[string]string{}
	for _, claim := range list.Items {
		found[claim.Name] = string(claim.UID)
	}
	return found
}

func (l *life) wantShopGone() {
	l.Helper()
	pods, err := l.c.api.Clientset.CoreV1().Pods(l.s.Namespace).List(l.Context(), metav1.ListOptions{})
	if err != nil || len(pods.Items) > 0 {
		l.Errorf("%d pods are there, error %v", len(pods.Items), err)
	}
	if last := lastRecord(l.T, l.c, l.s); last != nil {
		l.Errorf("the release is %s", last.Info.Status)
	}
	if _, there := getConfigMap(l.T, l.c, l.s, l.s.Name); there {
		l.Error("an object of the release is there")
	}
}

func TestRunnerReusesRetainedData(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	l.must(provision.OpProvision, false)
	password, claims := l.password(), l.claims()
	if len(claims) != 2 {
		t.Fatalf("the store has the claims %v, want two", claims)
	}
	for range 2 { // the second time there is nothing to stop
		l.must(provision.OpDelete, true)
		l.wantShopGone()
		if now := l.claims(); !maps.Equal(now, claims) || l.password() != password {
			t.Fatalf("the claims were %v and are %v", claims, now)
		}
	}
	l.wantRefused()
	secret, err := l.c.Shops.secret(t.Context(), l.s)
	if verified, outputs := verification(secret); err != nil || !verified || outputs["colour"] != "blue" {
		t.Errorf("the shop's verification: verified %t, %v, error %v", verified, outputs, err)
	}
	l.must(provision.OpProvision, false)
	if now := l.claims(); !maps.Equal(now, claims) || l.password() != password {
		t.Errorf("the claims were %v and are %v", claims, now)
	}
	if ns := getNamespace(t, l.c, l.s); retained(ns) || ns.Annotations[annotationOp] != "provision" {
		t.Errorf("the namespace says %v", ns.Annotations)
	}
	l.must(provision.OpDelete, true)
	l.must(provision.OpDelete, false)
	if _, err := l.c.api.Clientset.CoreV1().Namespaces().Get(t.Context(), l.s.Namespace, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("after a delete of the data the namespace is there, or %v", err)
	}
}

// wantRefused tries to put another shop into the namespace.
func (l *life) wantRefused() {
	l.Helper()
	before := getNamespace(l.T, l.c, l.s).ResourceVersion
	for what, change := range map[string]func(*provision.Store){
		"engine": func(s *provision.Store) { s.Engine = "other" },
		"name":   func(s *provision.Store) { s.Name = "other" },
		"store":  func(s *provision.Store) { s.StoreID = "other" },
	} {
		other := l.s
		other.Generation++
		change(&other)
		_, err := l.c.Namespaces.Ensure(l.Context(), other)
		if provision.CodeOf(err) != provision.CodeConflict {
			l.Errorf("another %s: %v, want a conflict", what, err)
		}
	}
	if getNamespace(l.T, l.c, l.s).ResourceVersion != before {
		l.Error("a refused request changed the namespace")
	}
}

func TestStateRecordsARetention(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	l.must(provision.OpProvision, false)
	l.must(provision.OpDelete, true)
	outcome := provision.Outcome{Generation: l.s.Generation, Status: provision.StatusDeleted}
	note(t, l.c.State.SaveOutcome(t.Context(), l.s, outcome))
	note(t, l.c.State.SaveDelivered(t.Context(), l.s, provision.StatusDeleted))
	m := recall(t, l.c, l.s)
	if m == nil || m.Op != provision.OpDelete || !m.Store.RetainData || m.Outcome == nil || !reflect.DeepEqual(*m.Outcome, outcome) || !m.Delivered {
		t.Errorf("remembered %+v", m)
	}
	l.must(provision.OpProvision, false)
	if m := recall(t, l.c, l.s); m == nil || m.Op != provision.OpProvision || m.Store.RetainData || m.Outcome != nil {
		t.Errorf("remembered %+v", m)
	}
}

func TestMarkDeletingRefusesToRetainDeletedClaims(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	l.must(provision.OpProvision, false)
	claims := l.c.api.Clientset.CoreV1().PersistentVolumeClaims(l.s.Namespace)
	hold(t, l.c, l.s, "files")
	if err := claims.Delete(t.Context(), "files", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	err := l.do(provision.OpDelete, true)
	wantCode(t, err, provision.CodeConflict)
	if !strings.Contains(provision.Public(err), "volume claim files in namespace "+l.s.Namespace) {
		t.Errorf("%q does not name the claim", provision.Public(err))
	}
	if last := lastRecord(t, l.c, l.s); last == nil {
		t.Error("the shop was removed all the same")
	}
	letClaimGo(t, l.c, l.s, "files")
	l.must(provision.OpDelete, false)
}

func TestMarkDeletingRefusesToRetainADeletedNamespace(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	l.must(provision.OpProvision, false)
	hold(t, l.c, l.s, "files")
	if err := l.c.api.Clientset.CoreV1().Namespaces().Delete(t.Context(), l.s.Namespace, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	err := l.do(provision.OpDelete, true)
	wantCode(t, err, provision.CodeConflict)
	if !strings.Contains(provision.Public(err), "namespace "+l.s.Namespace+" is being deleted") {
		t.Errorf("%q", provision.Public(err))
	}
	letClaimGo(t, l.c, l.s, "files")
	l.must(provision.OpDelete, false)
}

// hold gives a volume claim a finalizer that no controller removes; letClaimGo removes it.
func hold(t *testing.T, c *Cluster, s provision.Store, claim string) {
	t.Helper()
	patchClaim(t, c, s, claim, `{"metadata":{"finalizers":["example.com/hold"]}}`)
	t.Cleanup(func() { letClaimGo(t, c, s, claim) })
}

func letClaimGo(t *testing.T, c *Cluster, s provision.Store, claim string) {
	t.Helper()
	patchClaim(t, c, s, claim, `{"metadata":{"finalizers":null}}`)
}

func patchClaim(t *testing.T, c *Cluster, s provision.Store, claim, patch string) {
	t.Helper()
	_, err := c.api.Clientset.CoreV1().PersistentVolumeClaims(s.Namespace).Patch(context.Background(), claim, types.MergePatchType,
		[]byte(patch), metav1.PatchOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		t.Error(err)
	}
}
