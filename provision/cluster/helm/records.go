package helm

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"helm.sh/helm/v3/pkg/release"
	"helm.sh/helm/v3/pkg/storage/driver"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
)

// labelUnchecked is the label of the record of a first install before which it was not looked whether its objects exist. It is there until the
// release is deployed: what such an install has left behind is installed again, with a look, and never upgraded, which would take over the
// objects of others.
const labelUnchecked = "orchestrator/unchecked"

// acceptMetadata asks for an answer without the object that was sent: it is not looked at.
const acceptMetadata = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json"

// records is Helm's storage of releases in Secrets, for one operation. It reads as Helm's own does. It writes what that one writes, but
// compresses it once ([encoder]), and remembers what it has written, so that it need not be read again.
type records struct {
	*driver.Secrets
	api       rest.Interface
	namespace string
	encoder   *encoder

	none     bool             // the release was read and has no record
	deployed *release.Release // what was written last, if that succeeded and the release is deployed
}

// Query implements [driver.Driver].
func (r *records) Query(labels map[string]string) ([]*release.Release, error) {
	if r.none {
		return nil, driver.ErrReleaseNotFound
	}
	found, err := r.Secrets.Query(labels)
	r.none = err == driver.ErrReleaseNotFound && labels["status"] == ""
	return found, err
}

// Create implements [driver.Driver].
func (r *records) Create(key string, rls *release.Release) error {
	err := r.write(r.api.Post(), key, "createdAt", &metav1.CreateOptions{}, rls)
	if apierrors.IsAlreadyExists(err) {
		return driver.ErrReleaseExists
	}
	return wrapNamed(err, "create the record of release %s", rls.Name)
}

// Update implements [driver.Driver].
func (r *records) Update(key string, rls *release.Release) error {
	if rls.Info.Status == release.StatusDeployed {
		delete(rls.Labels, labelUnchecked)
	}
	err := r.write(r.api.Put().Name(key), key, "modifiedAt", &metav1.UpdateOptions{}, rls)
	return wrapNamed(err, "update the record of release %s", rls.Name)
}

// Delete implements [driver.Driver].
func (r *records) Delete(key string) (*release.Release, error) {
	r.deployed = nil
	return r.Secrets.Delete(key)
}

func (r *records) write(request *rest.Request, key, stamp string, options runtime.Object, rls *release.Release) error {
	r.none, r.deployed = false, nil
	data, err := r.encoder.encode(rls)
	if err != nil {
		return err
	}
	secret := &corev1.Secret{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: metav1.ObjectMeta{Name: key, Namespace: r.namespace, Labels: recordLabels(rls, stamp)},
		Type:       "helm.sh/release.v1",
		Data:       map[string][]byte{"release": data},
	}
	err = request.Namespace(r.namespace).Resource("secrets").VersionedParams(options, metav1.ParameterCodec).
		SetHeader("Accept", acceptMetadata).Body(secret).Do(context.Background()).Error()
	if err == nil && rls.Info.Status == release.StatusDeployed {
		r.deployed = rls
	}
	return err
}

// recordLabels are the labels by which Helm finds the record, and those of the release. stamp is the one that holds the time of the write.
func recordLabels(rls *release.Release, stamp string) map[string]string {
	labels := map[string]string{stamp: strconv.FormatInt(time.Now().Unix(), 10)}
	for key, value := range rls.Labels {
		labels[key] = value
	}
	labels["name"], labels["owner"] = rls.Name, "helm"
	labels["status"], labels["version"] = rls.Info.Status.String(), strconv.Itoa(rls.Version)
	return labels
}

// wrapNamed keeps the type of err, which says whose mistake it is.
func wrapNamed(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf(format+": %w", append(args, err)...)
}
