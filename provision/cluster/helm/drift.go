package helm

import (
	"context"
	"encoding/json"
	"log/slog"
	"reflect"
	"strings"
	"time"

	"helm.sh/helm/v3/pkg/release"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/cli-runtime/pkg/resource"

	"orchestrator/provision"
	"orchestrator/provision/cluster/kube"
)

// annotationIgnoreDrift on an object keeps its changes: the orchestrator leaves it as it is until its release changes.
const annotationIgnoreDrift = "orchestrator/ignore-drift"

// restore brings the objects of a deployed release back to what its manifest says, without a new revision: the manifest is
// right. Fields that it does not set are left alone, and so are those that other controllers own, see [leaveAlone]. It
// reports missing if an object does not exist; an upgrade creates it. An object that cannot be read is an error, never "no
// difference". Objects that this operation has made are as it made them.
func (o *operation) restore(last *release.Release, log *slog.Logger) (missing bool, err error) {
	if o.objects.created && o.records.deployed == last {
		return false, nil
	}
	drift, err := o.compare(last, true)
	for _, d := range drift {
		if missing = missing || d.Missing; !d.Missing {
			log.Info("object restored", "object", d.Object, "fields", d.Fields)
		}
	}
	return missing, err
}

// compare returns how the objects of a deployed release differ from its manifest. With restore it mends them, but for those that do not exist.
func (o *operation) compare(last *release.Release, restore bool) (drift []provision.Difference, err error) {
	objects, err := o.cfg.KubeClient.Build(strings.NewReader(last.Manifest), false)
	if err != nil {
		return nil, err
	}
	for _, object := range objects {
		if kind := object.Mapping.GroupVersionKind.Kind; kind == "Job" || kind == "Pod" { // they end by themselves
			continue
		}
		switch d, err := compareObject(object, restore); {
		case apierrors.IsNotFound(err):
			drift = append(drift, provision.Difference{Object: objectName(object), Missing: true})
		case err != nil:
			return drift, err
		case d != nil:
			drift = append(drift, *d)
		}
	}
	return drift, nil
}

// compareObject returns the fields in which the object differs from the manifest; nil where it does not. With restore it sends the patch that makes
// it what the manifest says.
func compareObject(object *resource.Info, restore bool) (*provision.Difference, error) {
	helper := resource.NewHelper(object.Client, object.Mapping).WithFieldManager(kube.Manager)
	live, err := readLive(helper, object)
	if err != nil || live.GetAnnotations()[annotationIgnoreDrift] == "true" {
		return nil, err
	}
	wanted, err := asUnstructured(object.Object)
	if err != nil {
		return nil, err
	}
	change, err := Difference(wanted, live)
	if err != nil || len(change) == 0 {
		return nil, err
	}
	patch, err := patchOf(wanted, change)
	if err != nil {
		return nil, err
	}
	same, err := changesNothing(helper, object, patch, live)
	if same {
		return nil, nil
	}
	found := &provision.Difference{Object: objectName(object), Fields: pathsOf(change, "")}
	found.Manager, found.At = lastManager(live)
	if !restore {
		if apierrors.IsInvalid(err) {
			err = nil // the patch cannot be sent as it is; a repair replaces the lists in it
		}
		return found, err
	}
	if err == nil {
		_, err = helper.Patch(object.Namespace, object.Name, patch.kind, patch.data, nil)
	}
	if apierrors.IsInvalid(err) {
		err = replaceLists(helper, object, wanted, live)
	}
	if apierrors.IsInvalid(err) {
		return nil, provision.Wrap(provision.CodeConflict, err,
			"%s was replaced by an object that cannot be changed to what the release says; delete it, and request the store again", objectName(object))
	}
	return found, err
}

// lastManager is who has changed an object last, besides the orchestrator and the controllers that keep its status.
func lastManager(live *unstructured.Unstructured) (manager string, at time.Time) {
	for _, entry := range live.GetManagedFields() {
		if entry.Manager != kube.Manager && entry.Subresource != "status" && entry.Time != nil && entry.Time.After(at) {
			manager, at = entry.Manager, entry.Time.UTC()
		}
	}
	return manager, at
}

func readLive(helper *resource.Helper, object *resource.Info) (*unstructured.Unstructured, error) {
	found, err := helper.Get(object.Namespace, object.Name)
	if err != nil {
		return nil, err
	}
	return asUnstructured(found)
}

func asUnstructured(object runtime.Object) (*unstructured.Unstructured, error) {
	if u, ok := object.(*unstructured.Unstructured); ok {
		return u, nil
	}
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	return &unstructured.Unstructured{Object: fields}, err
}

// patch is the body of a patch request.
type patch struct {
	kind types.PatchType
	data []byte
}

func patchOf(object *unstructured.Unstructured, change map[string]any) (patch, error) {
	data, err := json.Marshal(change)
	if structured(object) != nil {
		return patch{types.StrategicMergePatchType, data}, err
	}
	return patch{types.MergePatchType, data}, err
}

// changesNothing reports whether the patch would leave the object as it is: it only spells a default or a quantity
// otherwise, or a webhook would change it again.
func changesNothing(helper *resource.Helper, object *resource.Info, p patch, live *unstructured.Unstructured) (bool, error) {
	dry := *helper
	answer, err := dry.DryRun(true).Patch(object.Namespace, object.Name, p.kind, p.data, nil)
	if err != nil {
		return false, err
	}
	after, err := asUnstructured(answer)
	return err == nil && sameContent(after, live), err
}

// replaceLists is for a list that cannot be merged with what is in it now, such as a Service's ports after one of them got
// another number under the same name: the list of the manifest takes its place.
func replaceLists(helper *resource.Helper, object *resource.Info, wanted, live *unstructured.Unstructured) error {
	change, err := mergeDifference(wanted, live)
	if err != nil {
		return err
	}
	leaveAlone(change, wanted, live)
	data, err := json.Marshal(change)
	if err != nil {
		return err
	}
	_, err = helper.Patch(object.Namespace, object.Name, types.MergePatchType, data, nil)
	return err
}

func objectName(object *resource.Info) string {
	return strings.ToLower(object.Mapping.GroupVersionKind.Kind) + " " + object.Name
}

// sameContent compares two states of an object without what the API server keeps about it.
func sameContent(a, b *unstructured.Unstructured) bool {
	return reflect.DeepEqual(content(a), content(b))
}

func content(u *unstructured.Unstructured) map[string]any {
	c := u.DeepCopy()
	c.SetManagedFields(nil)
	c.SetResourceVersion("")
	c.SetGeneration(0)
	unstructured.RemoveNestedField(c.Object, "status")
	return c.Object
}

// Inspection is what was found of a release.
type Inspection struct {
	Edition string // that the store has; "" where its record does not say it
	Drift   []provision.Difference
}

// Inspect compares a store's release with the plan, in the edition that it has, and its objects with what the release says. It changes nothing. The
// caller has checked that the namespace belongs to the store.
func (c *Client) Inspect(ctx context.Context, s provision.Store, want Plan) (Inspection, error) {
	op, err := c.operation(ctx, s.Namespace)
	if err != nil {
		return Inspection{}, err
	}
	defer op.cancel()
	last, err := op.last(s.ReleaseName())
	if err != nil {
		return Inspection{}, err
	}
	name := "release " + s.ReleaseName()
	if last == nil {
		return Inspection{Drift: []provision.Difference{{Object: name, Missing: true}}}, nil
	}
	plan, err := op.pin(s, want, last)
	if err != nil {
		return Inspection{}, err
	}
	found := Inspection{Edition: last.Labels[labelEdition]}
	switch {
	case last.Info.Status != release.StatusDeployed:
		found.Drift = append(found.Drift, provision.Difference{Object: name, Fields: []string{"status"}})
	case foreign(last):
		found.Drift = append(found.Drift, provision.Difference{Object: name, Fields: []string{"revision"}, Manager: "helm"})
	case found.Edition == "": // the digest of a record from before editions cannot be compared
	case last.Labels[labelDigest] != plan.digest:
		found.Drift = append(found.Drift, provision.Difference{Object: name, Fields: []string{"values"}})
	}
	objects, err := op.compare(last, false)
	found.Drift = append(found.Drift, objects...)
	return found, kube.WrapError(op.apiErrors.cause(err), "compare release %s with its objects", s.ReleaseName())
}
