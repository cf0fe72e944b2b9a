package cluster

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"orchestrator/provision"
	"orchestrator/provision/cluster/kube"
)

// What a verification found out is stored in the store's Secret, and so lives exactly as long as the credentials that it
// used: new credentials mean a new shop, which is verified strictly again.
const (
	annotationVerified = "orchestrator/verified" // when the shop was first verified, RFC 3339
	annotationOutputs  = "orchestrator/outputs"  // names of the entries that are outputs and not credentials
)

// secret reads the store's Secret once for all that a check of the shop needs; nil if it is missing or does not belong to the store, which the first request
// that needs a credential reports.
func (o *Shops) secret(ctx context.Context, s provision.Store) (*corev1.Secret, error) {
	secret, err := o.api.Clientset.CoreV1().Secrets(s.Namespace).Get(ctx, provision.CredentialsSecret, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, kube.WrapError(err, "read secret %s in namespace %s", provision.CredentialsSecret, s.Namespace)
	}
	if !belongsTo(secret.Labels, s) {
		return nil, nil
	}
	return secret, nil
}

// verification returns what SaveVerification has stored about the shop.
func verification(secret *corev1.Secret) (verified bool, outputs provision.Outputs) {
	if secret == nil {
		return false, nil
	}
	return secret.Annotations[annotationVerified] != "", outputsIn(secret)
}

// SaveVerification implements [provision.Shops]. It writes only what has changed.
func (o *Shops) SaveVerification(ctx context.Context, s provision.Store, outputs provision.Outputs) error {
	return o.credentials.change(ctx, s, func(secret *corev1.Secret) (bool, error) { return setVerification(secret, outputs), nil })
}

// setVerification records the verification and the outputs in the Secret and reports whether that changed it. A output that no
// longer exists is removed; an entry that is a credential is never touched.
func setVerification(secret *corev1.Secret, outputs provision.Outputs) (changed bool) {
	if secret.Annotations == nil {
		secret.Annotations = map[string]string{}
	}
	if secret.Annotations[annotationVerified] == "" {
		secret.Annotations[annotationVerified], changed = time.Now().UTC().Format(time.RFC3339), true
	}
	before := outputsIn(secret)
	if maps.Equal(before, outputs) {
		return changed
	}
	for name := range before {
		delete(secret.Data, entryOf(name))
	}
	var entries []string
	for _, name := range slices.Sorted(maps.Keys(outputs)) {
		entry := entryOf(name)
		if _, taken := secret.Data[entry]; taken {
			continue
		}
		if secret.Data == nil {
			secret.Data = map[string][]byte{}
		}
		secret.Data[entry] = []byte(outputs[name])
		entries = append(entries, entry)
	}
	secret.Annotations[annotationOutputs] = strings.Join(entries, ",")
	return true
}

// outputsIn returns the outputs that the Secret holds.
func outputsIn(secret *corev1.Secret) provision.Outputs {
	outputs := provision.Outputs{}
	for entry := range strings.SplitSeq(secret.Annotations[annotationOutputs], ",") {
		if value := secret.Data[entry]; len(value) > 0 {
			outputs[strings.ReplaceAll(entry, "-", "_")] = string(value)
		}
	}
	return outputs
}

// entryOf returns a output's name in the style of the Secret's other entries: publishable_key becomes publishable-key.
func entryOf(output string) string { return strings.ReplaceAll(output, "_", "-") }
