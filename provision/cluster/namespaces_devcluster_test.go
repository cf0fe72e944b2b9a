//go:build devcluster

package cluster

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"orchestrator/provision"
)

func TestNamespacesEnsureRecordsStoreAndGeneration(t *testing.T) {
	t.Parallel()
	c := devCluster(t)
	s := devStore(t, c)
	for _, generation := range []int64{1, 1, 2} {
		s.Generation = generation
		if unfinished, err := c.Namespaces.Ensure(t.Context(), s); err != nil || unfinished {
			t.Fatalf("unfinished %t, error %v", unfinished, err)
		}
	}
	ns := getNamespace(t, c, s)
	if !belongsTo(ns.Labels, s) || ns.Labels[labelPodSecurity] != "baseline" || ns.Labels[labelManagedBy] != "orchestrator" {
		t.Errorf("labels are %v", ns.Labels)
	}
	if generationOf(ns) != 2 || ns.Annotations[annotationStoreID] != s.StoreID || ns.Annotations[annotationOp] != "provision" {
		t.Errorf("annotations are %v", ns.Annotations)
	}
	if found := storeFrom(ns, s); !reflect.DeepEqual(found, s) {
		t.Errorf("the namespace describes %+v, want %+v", found, s)
	}
}

func TestStepsWriteNothingForAnEqualGeneration(t *testing.T) {
	t.Parallel()
	c := devCluster(t)
	s := prepared(t, c)
	apply(t, c, s, nil)
	before := getNamespace(t, c, s).ResourceVersion
	secret := getSecret(t, c, s).ResourceVersion
	if _, err := c.Namespaces.Ensure(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if err := c.Credentials.Ensure(t.Context(), s, tinyRelease(s, nil).Credentials); err != nil {
		t.Fatal(err)
	}
	apply(t, c, s, nil)
	if after := getNamespace(t, c, s).ResourceVersion; after != before {
		t.Error("the namespace was written")
	}
	if after := getSecret(t, c, s).ResourceVersion; after != secret {
		t.Error("the secret was written")
	}
}

func TestStepsRefuseAForeignNamespace(t *testing.T) {
	t.Parallel()
	c := devCluster(t)
	s := devStore(t, c)
	foreign := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.Namespace}}
	if _, err := c.api.Clientset.CoreV1().Namespaces().Create(t.Context(), foreign, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	for name, err := range eachStep(t.Context(), c, s) {
		if provision.CodeOf(err) != provision.CodeConflict {
			t.Errorf("%s: error %v, want a conflict", name, err)
		}
	}
	if namespaces, err := c.Namespaces.MarkDeleting(t.Context(), provision.OpDelete, s); err != nil || len(namespaces) != 0 {
		t.Errorf("marked %v, error %v", namespaces, err)
	}
	if ns := getNamespace(t, c, s); ns.DeletionTimestamp != nil || len(ns.Annotations) > 0 {
		t.Errorf("the foreign namespace was touched: %v", ns.ObjectMeta)
	}
}

func TestStepsAreSupersededByANewerGeneration(t *testing.T) {
	t.Parallel()
	c := devCluster(t)
	s := prepared(t, c)
	newer := s
	newer.Generation = 5
	if _, err := c.Namespaces.Ensure(t.Context(), newer); err != nil {
		t.Fatal(err)
	}
	for name, err := range eachStep(t.Context(), c, s) {
		if provision.CodeOf(err) != provision.CodeSuperseded {
			t.Errorf("%s: error %v, want superseded", name, err)
		}
	}
	if _, err := c.Namespaces.MarkDeleting(t.Context(), provision.OpDelete, s); provision.CodeOf(err) != provision.CodeSuperseded {
		t.Errorf("mark: error %v, want superseded", err)
	}
}

func eachStep(ctx context.Context, c *Cluster, s provision.Store) map[string]error {
	_, ensured := c.Namespaces.Ensure(ctx, s)
	_, applied := c.Releases.Apply(ctx, s, tinyRelease(s, nil))
	return map[string]error{
		"namespace":         ensured,
		"credentials":       c.Credentials.Ensure(ctx, s, tinyRelease(s, nil).Credentials),
		"release":           applied,
		"release removal":   c.Releases.Remove(ctx, s),
		"volumes removal":   c.Volumes.Remove(ctx, s),
		"namespace removal": c.Namespaces.Remove(ctx, s),
	}
}

func TestNamespacesMarkDeletingFindsAStoreByItsID(t *testing.T) {
	t.Parallel()
	c := devCluster(t)
	s := prepared(t, c)
	apply(t, c, s, nil)
	waitForClaim(t, c, s)
	onlyID := provision.Store{Generation: 7, Request: provision.Request{StoreID: s.StoreID, Action: provision.OpDelete}}
	namespaces, err := c.Namespaces.MarkDeleting(t.Context(), provision.OpDelete, onlyID)
	if err != nil || len(namespaces) != 1 {
		t.Fatalf("marked %v, error %v", namespaces, err)
	}
	marked := namespaces[0]
	if marked.Name != s.Name || marked.Namespace != s.Namespace || marked.Engine != s.Engine || marked.Generation != 7 {
		t.Errorf("marked %+v", marked)
	}
	later := s
	later.Generation = 8
	if unfinished, err := c.Namespaces.Ensure(t.Context(), later); err != nil || !unfinished {
		t.Errorf("a provision after the mark: unfinished %t, error %v; want true", unfinished, err)
	}
	for range 2 { // the second time there is nothing, which is success
		// In this order, as in production: a claim stays for as long as a pod uses it.
		if err := c.Releases.Remove(t.Context(), marked); err != nil {
			t.Fatalf("release: %v", err)
		}
		if err := c.Volumes.Remove(t.Context(), marked); err != nil {
			t.Fatalf("volumes: %v", err)
		}
		if err := c.Namespaces.Remove(t.Context(), marked); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.api.Clientset.CoreV1().Namespaces().Get(t.Context(), s.Namespace, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("the namespace exists or cannot be read: %v", err)
	}
	if namespaces, err := c.Namespaces.MarkDeleting(t.Context(), provision.OpDelete, onlyID); err != nil || len(namespaces) != 0 {
		t.Errorf("marked %v, error %v", namespaces, err)
	}
}

// A provision finishes a delete that did not end. If Redis is lost meanwhile, it is the provision that was accepted, not a delete.
func TestAProvisionThatFinishesADeleteIsRecovered(t *testing.T) {
	t.Parallel()
	c := devCluster(t)
	s := prepared(t, c)
	apply(t, c, s, nil)
	deleted := s
	deleted.Generation = 7
	if _, err := c.Namespaces.MarkDeleting(t.Context(), provision.OpDelete, deleted); err != nil {
		t.Fatal(err)
	}
	again := s
	again.Generation, again.Name, again.Settings.Title = 8, "renamed", "after"
	for range 2 { // a run that crashed in the middle is repeated
		if unfinished, err := c.Namespaces.Ensure(t.Context(), again); err != nil || !unfinished {
			t.Fatalf("unfinished %t, error %v; want true", unfinished, err)
		}
		marked, err := c.Namespaces.MarkDeleting(t.Context(), provision.OpProvision, again)
		if err != nil || len(marked) != 1 || marked[0].Name != s.Name {
			t.Fatalf("what is deleted: %v, error %v; want the release %s", marked, err, s.Name)
		}
		saved := recall(t, c, again)
		if saved == nil || saved.Op != provision.OpProvision || saved.Outcome != nil || saved.Store.Generation != 8 || saved.Store.Name != "renamed" || saved.Store.Settings.Title != "after" {
			t.Errorf("what is recovered: %+v", saved)
		}
	}
	retained := again
	retained.Generation, retained.RetainData = 9, true
	if _, err := c.Namespaces.MarkDeleting(t.Context(), provision.OpDelete, retained); provision.CodeOf(err) != provision.CodeConflict {
		t.Errorf("data that is half deleted is retained: %v", err)
	}
}

func TestNamespacesRemoveNamesWhatBlocksIt(t *testing.T) {
	t.Parallel()
	c := devCluster(t)
	s := prepared(t, c)
	apply(t, c, s, map[string]any{"extraName": "stuck", "finalizer": "example.com/hold"})
	t.Cleanup(func() { letGo(t, c, s, "stuck") })
	ctx, cancel := context.WithCancelCause(t.Context())
	removed := make(chan error, 1)
	go func() { removed <- c.Namespaces.Remove(ctx, s) }()
	waitForRemainingFinalizers(t, c, s)
	cancel(provision.Errorf(provision.CodeTimeout, "over"))
	err := <-removed
	wantCode(t, err, provision.CodeTimeout)
	for _, word := range []string{s.Namespace, "example.com/hold", "configmap stuck"} {
		if !strings.Contains(provision.Public(err), word) {
			t.Errorf("%q does not name %s", provision.Public(err), word)
		}
	}
}

// waitForRemainingFinalizers returns when the namespace controller has said what it waits for.
func waitForRemainingFinalizers(t *testing.T, c *Cluster, s provision.Store) {
	t.Helper()
	poll(t, "the namespace controller names the finalizers", func(ctx context.Context) error {
		ns, err := c.api.Clientset.CoreV1().Namespaces().Get(ctx, s.Namespace, metav1.GetOptions{})
		if err != nil {
			return err
		}
		for _, condition := range ns.Status.Conditions {
			if condition.Type == corev1.NamespaceFinalizersRemaining && condition.Status == corev1.ConditionTrue {
				return nil
			}
		}
		return errors.New("it does not")
	})
}

func TestNamespacesRemoveReturnsTheCauseOfItsContext(t *testing.T) {
	t.Parallel()
	c := devCluster(t)
	s := prepared(t, c)
	apply(t, c, s, map[string]any{"extraName": "stuck", "finalizer": "example.com/hold"})
	t.Cleanup(func() { letGo(t, c, s, "stuck") })
	cause := provision.Errorf(provision.CodeSuperseded, "a newer request")
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(time.Second, func() { cancel(cause) })
	if err := c.Namespaces.Remove(ctx, s); !errors.Is(err, cause) {
		t.Errorf("error %v, want the context's cause", err)
	}
}

func TestVolumesRemoveNamesWhatBlocksIt(t *testing.T) {
	t.Parallel()
	c := devCluster(t)
	s := prepared(t, c)
	claims := c.api.Clientset.CoreV1().PersistentVolumeClaims(s.Namespace)
	claim := &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Name: "data", Finalizers: []string{"example.com/hold"}},
		Spec: corev1.PersistentVolumeClaimSpec{AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources: corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Mi")}}},
	}
	if _, err := claims.Create(t.Context(), claim, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	free := func() {
		_, err := claims.Patch(context.Background(), "data", types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{})
		if err != nil {
			t.Error(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	err := c.Volumes.Remove(ctx, s)
	wantCode(t, err, provision.CodeTimeout)
	if !strings.Contains(provision.Public(err), "persistentvolumeclaim data has the finalizers") {
		t.Errorf("%q does not name the claim and its finalizer", provision.Public(err))
	}
	time.AfterFunc(500*time.Millisecond, free)
	if err := c.Volumes.Remove(t.Context(), s); err != nil {
		t.Fatal(err)
	}
}

func letGo(t *testing.T, c *Cluster, s provision.Store, name string) {
	t.Helper()
	_, err := c.api.Clientset.CoreV1().ConfigMaps(s.Namespace).Patch(context.Background(), name, types.MergePatchType,
		[]byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{})
	if err != nil {
		t.Error(err)
	}
}

func getNamespace(t *testing.T, c *Cluster, s provision.Store) *corev1.Namespace {
	t.Helper()
	ns, err := c.api.Clientset.CoreV1().Namespaces().Get(context.Background(), s.Namespace, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return ns
}

// waitForClaim returns when the StatefulSet has made its volume claim.
func waitForClaim(t *testing.T, c *Cluster, s provision.Store) {
	t.Helper()
	poll(t, "a volume claim is made", func(ctx context.Context) error {
		list, err := c.api.Clientset.CoreV1().PersistentVolumeClaims(s.Namespace).List(ctx, metav1.ListOptions{})
		if err == nil && len(list.Items) == 0 {
			return errors.New("there is none")
		}
		return err
	})
}
