package cluster

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"orchestrator/provision"
	"orchestrator/provision/cluster/kube"
)

// StoreSecrets are Secrets of the installation that each store gets a copy of, such as those with which its images are pulled or a
// wildcard certificate: a folder with a folder for each Secret, which holds a file for each key, as Kubernetes mounts them. It
// is read at each run, so that a Secret that was rotated reaches a store with its next request. Empty: there are none.
type StoreSecrets string

var secretName = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$`)

// Read returns the Secrets, without a namespace.
func (dir StoreSecrets) Read() ([]corev1.Secret, error) {
	if dir == "" {
		return nil, nil
	}
	folders, err := os.ReadDir(string(dir))
	if err != nil {
		return nil, err
	}
	var secrets []corev1.Secret
	for _, folder := range folders {
		name := folder.Name()
		if strings.HasPrefix(name, ".") {
			continue
		}
		if !secretName.MatchString(name) || name == provision.CredentialsSecret || strings.HasPrefix(name, "sh.helm.release.") {
			return nil, fmt.Errorf("%s: no Secret that stores get can have this name", filepath.Join(string(dir), name))
		}
		data, err := readKeys(filepath.Join(string(dir), name))
		if err != nil {
			return nil, err
		}
		secrets = append(secrets, corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name}, Type: typeOf(data), Data: data})
	}
	return secrets, nil
}

// readKeys reads the files of a mounted Secret. Kubernetes keeps the generations of a mount in entries that begin with two dots.
func readKeys(folder string) (map[string][]byte, error) {
	files, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	data := map[string][]byte{}
	for _, file := range files {
		if strings.HasPrefix(file.Name(), "..") {
			continue
		}
		if data[file.Name()], err = os.ReadFile(filepath.Join(folder, file.Name())); err != nil {
			return nil, err
		}
	}
	if len(data) == 0 {
		return nil, fmt.Errorf("%s holds no key of a Secret", folder)
	}
	return data, nil
}

// typeOf is the type that the keys are for: a mount does not say it.
func typeOf(data map[string][]byte) corev1.SecretType {
	_, certificate := data[corev1.TLSCertKey]
	_, key := data[corev1.TLSPrivateKeyKey]
	switch _, pull := data[corev1.DockerConfigJsonKey]; {
	case pull && len(data) == 1:
		return corev1.SecretTypeDockerConfigJson
	case certificate && key:
		return corev1.SecretTypeTLS
	}
	return corev1.SecretTypeOpaque
}

// DeliverSecrets implements [provision.Auditor].
func (c *Credentials) DeliverSecrets(ctx context.Context, s provision.Store) error {
	if c.stores == "" {
		return nil
	}
	if _, err := c.owner.namespace(ctx, s); err != nil {
		return err
	}
	return c.deliver(ctx, s)
}

// deliver gives the store its copies, and brings those that differ up to date. A Secret of the same name that is not ours is a
// conflict.
func (c *Credentials) deliver(ctx context.Context, s provision.Store) error {
	secrets, err := c.stores.Read()
	if err != nil {
		return fmt.Errorf("cannot read the Secrets that stores get: %w", err)
	}
	for i := range secrets {
		if err := c.deliverOne(ctx, s, &secrets[i]); err != nil {
			return kube.WrapError(err, "write secret %s in namespace %s", secrets[i].Name, s.Namespace)
		}
	}
	return nil
}

func (c *Credentials) deliverOne(ctx context.Context, s provision.Store, want *corev1.Secret) error {
	want.Labels = labelsOf(s)
	secrets := c.api.Clientset.CoreV1().Secrets(s.Namespace)
	have, err := secrets.Get(ctx, want.Name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return c.api.Write(ctx, func() error {
			_, err := secrets.Create(ctx, want, metav1.CreateOptions{})
			return err
		})
	case err != nil:
		return err
	case !belongsTo(have.Labels, s):
		return provision.Errorf(provision.CodeConflict,
			"secret %s in namespace %s was not made by the orchestrator, which is to put its own there; remove it, or rename one of the two", want.Name, s.Namespace)
	case maps.EqualFunc(have.Data, want.Data, bytes.Equal):
		return nil
	}
	have.Data = want.Data
	return c.api.Write(ctx, func() error {
		_, err := secrets.Update(ctx, have, metav1.UpdateOptions{})
		return err
	})
}
