//go:build devcluster

package kubernetes_test

import (
	"context"
	"strconv"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"orchestrator/provision"
)

// otherInstallations are attempts on the stores of an installation beside this one, and of none.
func (i *installation) otherInstallations() (all []attempt) {
	const refusal = "may touch no namespace but those of its installation"
	for _, of := range []string{"production.orchestrator", ""} {
		theirs := i.storeOf(i.admin, of)
		patch := func(metadata string) func(context.Context, kubernetes.Interface) error {
			return func(ctx context.Context, c kubernetes.Interface) error {
				return result(c.CoreV1().Namespaces().Patch(ctx, theirs, types.MergePatchType, []byte(`{"metadata":`+metadata+`}`), metav1.PatchOptions{}))
			}
		}
		by := " of installation " + strconv.Quote(of)
		all = append(all,
			attempt{"annotate a store" + by, patch(`{"annotations":{"orchestrator/generation":"1"}}`), refusal},
			attempt{"delete a store" + by, func(ctx context.Context, c kubernetes.Interface) error {
				return c.CoreV1().Namespaces().Delete(ctx, theirs, metav1.DeleteOptions{})
			}, refusal},
			attempt{"bind itself in a store" + by, func(ctx context.Context, c kubernetes.Interface) error {
				return result(c.RbacV1().RoleBindings(theirs).Create(ctx, i.binding(i.role, i.worker()), create))
			}, "only in namespaces of its installation"},
			attempt{"take over and change a store" + by, patch(`{"labels":{"orchestrator/installation":"` + i.name() + `"},"annotations":{"a":"b"}}`), "in no other way at the same time"},
			attempt{"give a store away to another", func(ctx context.Context, c kubernetes.Interface) error {
				mine := i.storeOf(i.admin, i.name())
				return result(c.CoreV1().Namespaces().Patch(ctx, mine, types.MergePatchType, []byte(`{"metadata":{"labels":{"orchestrator/installation":"x"}}}`), metav1.PatchOptions{}))
			}, refusal},
			attempt{"make a namespace" + by, func(ctx context.Context, c kubernetes.Interface) error {
				labels := map[string]string{provision.LabelStore: provision.StoreLabel("x"), "pod-security.kubernetes.io/enforce": "baseline"}
				if of != "" {
					labels["orchestrator/installation"] = of
				}
				return result(c.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "escalation-", Labels: labels}}, create))
			}, refusal})
	}
	return all
}

// A store of another installation is taken over by its label alone.
func TestPoliciesLetAStoreBeAdopted(t *testing.T) {
	i := install(t)
	for _, of := range []string{"production.orchestrator", ""} {
		theirs := i.storeOf(i.admin, of)
		_, err := i.as("worker").CoreV1().Namespaces().Patch(t.Context(), theirs, types.MergePatchType,
			[]byte(`{"metadata":{"labels":{"orchestrator/installation":"`+i.name()+`"}}}`), metav1.PatchOptions{})
		if err != nil {
			t.Errorf("a store of installation %q: %v", of, err)
		}
	}
}
