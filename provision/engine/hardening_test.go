package engine_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/kube"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"orchestrator/provision"
)

// TestPodsAreRestricted requires what the Pod Security Standard "restricted" requires, and more.
func TestPodsAreRestricted(t *testing.T) {
	forEachVariant(t, func(t *testing.T, _ variant, r rendered) {
		for name, pod := range r.allPods() {
			spec, sec := pod.Spec, pod.Spec.SecurityContext
			if sec == nil || !isTrue(sec.RunAsNonRoot) || sec.RunAsUser == nil || *sec.RunAsUser == 0 {
				t.Errorf("%s may run as root", name)
			}
			if sec == nil || sec.SeccompProfile == nil || sec.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
				t.Errorf("%s has no seccomp profile", name)
			}
			if !isFalse(spec.AutomountServiceAccountToken) || !isFalse(spec.EnableServiceLinks) || spec.ServiceAccountName == "" {
				t.Errorf("%s gets a token, service links or the default account", name)
			}
			for _, volume := range spec.Volumes {
				if volume.HostPath != nil || (volume.EmptyDir != nil && volume.EmptyDir.SizeLimit == nil) {
					t.Errorf("%s: the volume %s is the node's own or has no limit", name, volume.Name)
				}
			}
		}
		r.containers(func(where, _ string, c corev1.Container) {
			sec := c.SecurityContext
			if sec == nil || !isFalse(sec.AllowPrivilegeEscalation) || !isTrue(sec.ReadOnlyRootFilesystem) ||
				sec.Capabilities == nil || !slices.Equal(sec.Capabilities.Drop, []corev1.Capability{"ALL"}) || len(sec.Capabilities.Add) > 0 {
				t.Errorf("%s has more privileges than none", where)
			}
		})
	})
}

func TestContainersHaveResources(t *testing.T) {
	forEachVariant(t, func(t *testing.T, _ variant, r rendered) {
		if len(r.limits) != 1 {
			t.Fatalf("there are %d LimitRanges, want one", len(r.limits))
		}
		r.containers(func(where, _ string, c corev1.Container) {
			for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
				request, limit := c.Resources.Requests[name], c.Resources.Limits[name]
				if request.IsZero() || limit.IsZero() || request.Cmp(limit) > 0 {
					t.Errorf("%s asks for %s and at most %s of %s", where, &request, &limit, name)
				}
			}
		})
	})
}

// TestVolumesAreKept: Helm would delete a store's data with its release.
func TestVolumesAreKept(t *testing.T) {
	forEachVariant(t, func(t *testing.T, _ variant, r rendered) {
		for _, claim := range r.claims {
			if claim.Annotations[kube.ResourcePolicyAnno] != kube.KeepPolicy {
				t.Errorf("the volume %s goes with the release", claim.Name)
			}
		}
		for name, pod := range r.pods {
			for _, volume := range pod.Spec.Volumes {
				if c := volume.PersistentVolumeClaim; c != nil && !slices.ContainsFunc(r.claims, func(o *corev1.PersistentVolumeClaim) bool { return o.Name == c.ClaimName }) {
					t.Errorf("%s waits for the volume %s, which does not exist", name, c.ClaimName)
				}
			}
		}
	})
}

// TestShopsStayOpenWhereTheVolumeAllowsIt: a pod whose volume another one can share stays until that is ready; one whose volume cannot be shared
// goes first, or the replacement would wait for it for ever.
func TestShopsStayOpenWhereTheVolumeAllowsIt(t *testing.T) {
	forEachVariant(t, func(t *testing.T, v variant, r rendered) {
		shared := corev1.ReadWriteMany // a shop without a volume
		for _, claim := range r.claims {
			if strings.HasSuffix(claim.Name, "-data") {
				shared = claim.Spec.AccessModes[0]
			}
		}
		for _, o := range r.objects {
			deployment, ok := o.(*appsv1.Deployment)
			if !ok {
				continue
			}
			want := appsv1.RecreateDeploymentStrategyType
			// In the stock layout of WooCommerce the volume holds the code.
			if shared == corev1.ReadWriteMany && !strings.HasSuffix(v.name, "-stock") {
				want = appsv1.RollingUpdateDeploymentStrategyType
			}
			if got := deployment.Spec.Strategy; got.Type != want || (got.RollingUpdate != nil && got.RollingUpdate.MaxUnavailable.IntValue() != 0) {
				t.Errorf("%s on a %s volume is replaced by %+v, want %s", deployment.Name, shared, got, want)
			}
		}
	})
}

func TestVolumesFitTheQuota(t *testing.T) {
	forEachVariant(t, func(t *testing.T, _ variant, r rendered) {
		var sum resource.Quantity
		for _, claim := range r.claims {
			sum.Add(claim.Spec.Resources.Requests[corev1.ResourceStorage])
		}
		storage, count := r.quota.Spec.Hard["requests.storage"], r.quota.Spec.Hard["persistentvolumeclaims"]
		if storage.Cmp(sum) < 0 || count.Value() < int64(len(r.claims)) {
			t.Errorf("%d claims of %s in all do not fit the quota of %s claims and %s", len(r.claims), &sum, &count, &storage)
		}
	})
}

// TestProbes: whatever listens is asked whether it has started, whether it is ready and whether it is alive.
func TestProbes(t *testing.T) {
	forEachVariant(t, func(t *testing.T, v variant, r rendered) {
		r.containers(func(where, kind string, c corev1.Container) {
			if kind == "main" && len(c.Ports) > 0 && (c.StartupProbe == nil || c.ReadinessProbe == nil || c.LivenessProbe == nil) {
				t.Errorf("%s lacks a probe", where)
			}
			if c.ReadinessProbe == nil || c.ReadinessProbe.HTTPGet == nil {
				return
			}
			headers := map[string]string{}
			for _, h := range c.ReadinessProbe.HTTPGet.HTTPHeaders {
				headers[h.Name] = h.Value
			}
			if headers["Host"] != v.store.Host || headers["X-Forwarded-Proto"] != "https" {
				t.Errorf("%s is asked with the headers %v: a shop on https would redirect", where, headers)
			}
		})
	})
}

var secretName = regexp.MustCompile(`(?i)PASSWORD|SECRET|SALT|_KEY$`)

// mailSecret is the one that ci/values-mail.yaml names.
const mailSecret = "mail"

// TestSecretsComeFromTheStoresSecret: no object is a Secret (the types that render accepts have none), and a variable
// that sounds like a secret is taken from the one that exists.
func TestSecretsComeFromTheStoresSecret(t *testing.T) {
	forEachVariant(t, func(t *testing.T, v variant, r rendered) {
		var keys, used []string
		for _, c := range releaseOf(t, v.store).Credentials {
			keys = append(keys, c.Key)
			if c.Rotates {
				keys = append(keys, c.Key+provision.NextSuffix)
			}
		}
		r.containers(func(where, _ string, c corev1.Container) {
			for _, env := range c.Env {
				if secretName.MatchString(env.Name) && env.Value != "" {
					t.Errorf("%s has %s in plain sight", where, env.Name)
				}
				if env.ValueFrom == nil || env.ValueFrom.SecretKeyRef == nil {
					continue
				}
				ref := env.ValueFrom.SecretKeyRef
				if ref.Name == provision.BackupAccessSecret && (strings.HasPrefix(where, "Job/backup/") || strings.HasPrefix(where, "Job/restore/")) {
					continue // the worker makes it beside the pod
				}
				if ref.Name == mailSecret && (strings.HasSuffix(where, "/wordpress") || strings.HasSuffix(where, "/medusa")) {
					continue // the installation's, for all its stores
				}
				if ref.Name != provision.CredentialsSecret || !slices.Contains(keys, ref.Key) {
					t.Errorf("%s takes %s from %s/%s, which does not exist", where, env.Name, ref.Name, ref.Key)
				}
				used = append(used, ref.Key)
			}
		})
		for _, key := range keys {
			if !slices.Contains(used, key) {
				t.Errorf("the credential %s is made and used by no pod", key)
			}
		}
		if !slices.Contains(keys, provision.AdminPassword) {
			t.Errorf("there is no credential %s", provision.AdminPassword)
		}
	})
}

func TestCredentialsCannotBeGuessed(t *testing.T) {
	for _, v := range variants() {
		seen := map[string]bool{}
		for _, c := range releaseOf(t, v.store).Credentials {
			if seen[c.Key] || c.Length < 24 || (c.Chars != provision.Alphanumeric && c.Chars != provision.Hex) {
				t.Errorf("%s: the credential %+v is double, short or of odd characters", v.name, c)
			}
			seen[c.Key] = true
		}
	}
}

// TestNetworkIsClosed: one policy takes everything in the namespace and gives nothing; each pod is taken by exactly one more,
// which says what it may; and only the shop and its workers may call out.
func TestNetworkIsClosed(t *testing.T) {
	forEachVariant(t, func(t *testing.T, v variant, r rendered) {
		denied := false
		for _, p := range r.policies {
			if len(p.Spec.PolicyTypes) != 2 {
				t.Errorf("the policy %s does not cover both directions", p.Name)
			}
			if len(p.Spec.PodSelector.MatchLabels)+len(p.Spec.PodSelector.MatchExpressions) == 0 && len(p.Spec.Ingress)+len(p.Spec.Egress) == 0 {
				denied = true
			}
			kind := p.Name[strings.LastIndex(p.Name, "-")+1:]
			if kind == "backup" {
				wantBackupsEgress(t, r, p)
			}
			if len(p.Spec.Egress) > 0 && !slices.Contains([]string{"shop", "worker", "test", "backup"}, kind) {
				t.Errorf("the policy %s lets more than the shop call out", p.Name)
			}
			for _, rule := range p.Spec.Egress {
				if len(rule.To) == 0 || len(rule.Ports) == 0 || kind == "test" && rule.To[0].IPBlock != nil {
					t.Errorf("the policy %s lets its pods ask anything", p.Name)
				}
			}
			for _, rule := range p.Spec.Ingress {
				// A certificate authority may connect from anywhere.
				if len(rule.Ports) == 0 || (len(rule.From) == 0 && v.extra != nil && kind != "acme") {
					t.Errorf("the policy %s lets every pod in", p.Name)
				}
			}
		}
		if !denied {
			t.Error("no policy denies everything by default")
		}
		for name, pod := range r.allPods() {
			var taken []string
			for _, p := range r.policies {
				selector, err := metav1.LabelSelectorAsSelector(&p.Spec.PodSelector)
				if err != nil {
					t.Fatal(err)
				}
				if !selector.Empty() && selector.Matches(labels.Set(pod.Labels)) {
					taken = append(taken, p.Name)
				}
			}
			if len(taken) != 1 {
				t.Errorf("%s is taken by the policies %v, want one", name, taken)
			}
		}
	})
}

// TestBudgetsFitTheReplicas: a budget of a single pod would hold up the drain of its node for ever.
func TestBudgetsFitTheReplicas(t *testing.T) {
	forEachVariant(t, func(t *testing.T, _ variant, r rendered) {
		for name, pod := range r.pods {
			var taken []*policyv1.PodDisruptionBudget
			for _, b := range r.budgets {
				if labels.SelectorFromSet(b.Spec.Selector.MatchLabels).Matches(labels.Set(pod.Labels)) {
					taken = append(taken, b)
				}
			}
			switch several := r.replicas[name] > 1; {
			case several != (len(taken) == 1):
				t.Errorf("%s has %d pods and %d budgets", name, r.replicas[name], len(taken))
			case several && (taken[0].Spec.MaxUnavailable.IntValue() != 1 || *taken[0].Spec.UnhealthyPodEvictionPolicy != policyv1.AlwaysAllow):
				t.Errorf("the budget of %s may hold up a drain: %+v", name, taken[0].Spec)
			}
		}
	})
}

func isTrue(b *bool) bool  { return b != nil && *b }
func isFalse(b *bool) bool { return b != nil && !*b }
