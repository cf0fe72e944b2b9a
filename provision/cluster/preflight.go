package cluster

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/version"

	"orchestrator/provision"
	"orchestrator/provision/cluster/kube"
	"orchestrator/provision/cluster/webhooks"
)

// oldest is the oldest Kubernetes that the stores' charts are made for.
var oldest = version.MustParseGeneric("1.30.0")

// Preflight looks at everything of the cluster that would make its first store fail. It changes nothing. name is what an operator calls the cluster.
func (c *Cluster) Preflight(ctx context.Context, name string, needs Needs) []provision.Check {
	p := preflight{c, name}
	info, err := c.api.Clientset.Discovery().ServerVersion()
	if err != nil {
		return []provision.Check{provision.FailedCheck(name, "check the kubeconfig, the address in it, and that the API server runs",
			"the API server does not answer: %s", provision.Public(kube.WrapError(err, "read the cluster's version")))}
	}
	all := []provision.Check{p.version(info.GitVersion)}
	all = append(all, p.rights(ctx)...)
	for _, class := range needs.StorageClasses {
		all = append(all, p.storageClass(ctx, class))
	}
	for _, class := range needs.IngressClasses {
		all = append(all, p.ingressClass(ctx, class))
	}
	if needs.Gateway {
		all = append(all, p.gateway())
	}
	all = append(all, p.webhooks(ctx)...)
	return append(all, p.installations(ctx)...)
}

type preflight struct {
	*Cluster
	name string
}

func (p preflight) version(found string) provision.Check {
	v, err := version.ParseGeneric(found)
	if err != nil || v.Major() == 0 { // built without a version
		return provision.Unchecked(p.name, "which Kubernetes it is: it says %q; the stores need %s or later", found, oldest)
	}
	if v.LessThan(oldest) {
		return provision.FailedCheck(p.name, "update the cluster", "it is Kubernetes %s; the stores need %s or later", found, oldest)
	}
	return provision.Checked(p.name, "it is Kubernetes %s", found)
}

// rights asks the API server about each verb. Those inside a store exist only once the worker has bound itself there.
func (p preflight) rights(ctx context.Context) []provision.Check {
	wanted := slices.Clone(rightsEverywhere)
	role := p.Namespaces.rbac.role
	if role != "" {
		wanted = append(wanted, rightsToBind...)
	} else {
		wanted = append(wanted, rightsInStores...)
	}
	asked, missing := 0, []string{}
	for _, r := range wanted {
		if r.name != "" {
			r.name = role
		}
		for _, verb := range r.verbs {
			asked++
			allowed, err := p.allowed(ctx, r, verb)
			if err != nil {
				return []provision.Check{provision.FailedCheck(p.name, "check that the API server is healthy", "its rights cannot be asked for: %s", provision.Public(err))}
			}
			if !allowed {
				missing = append(missing, verb+" "+r.String())
			}
		}
	}
	if len(missing) > 0 {
		return []provision.Check{provision.FailedCheck(p.name, "give the worker's account the rules of the service's chart (rbac.create), or ask the administrator of the cluster",
			"the worker may not: %s", strings.Join(missing, ", "))}
	}
	return []provision.Check{provision.Checked(p.name, "the worker has the %d rights that it needs", asked)}
}

func (r right) String() string {
	return strings.TrimSuffix(strings.TrimSpace(r.resource+" "+r.name)+"."+r.group, ".")
}

func (p preflight) allowed(ctx context.Context, r right, verb string) (bool, error) {
	resource, sub, _ := strings.Cut(r.resource, "/")
	review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{
		Group: r.group, Resource: resource, Subresource: sub, Verb: verb, Name: r.name}}}
	answer, err := p.api.Clientset.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
	if err != nil {
		return false, kube.WrapError(err, "ask for the right to %s %s", verb, r)
	}
	return answer.Status.Allowed, nil
}

const defaultStorageClass = "storageclass.kubernetes.io/is-default-class"

func (p preflight) storageClass(ctx context.Context, class string) provision.Check {
	classes := p.api.Clientset.StorageV1().StorageClasses()
	if class != "" {
		_, err := classes.Get(ctx, class, metav1.GetOptions{})
		return p.exists(err, "storage class "+class, "create it, or name another one in common.storageClass")
	}
	list, err := classes.List(ctx, metav1.ListOptions{})
	if err != nil {
		return p.exists(err, "a default storage class", "")
	}
	for _, one := range list.Items {
		if one.Annotations[defaultStorageClass] == "true" {
			return provision.Checked(p.name, "volumes get the default storage class %s", one.Name)
		}
	}
	return provision.FailedCheck(p.name, "make one of them the default, or name one in common.storageClass", "it has %d storage classes, none of which is the default: volumes would wait for ever", len(list.Items))
}

const defaultIngressClass = "ingressclass.kubernetes.io/is-default-class"

func (p preflight) ingressClass(ctx context.Context, class string) provision.Check {
	classes := p.api.Clientset.NetworkingV1().IngressClasses()
	if class != "" {
		_, err := classes.Get(ctx, class, metav1.GetOptions{})
		return p.exists(err, "ingress class "+class, "install its controller, or name another one in common.ingress.className")
	}
	list, err := classes.List(ctx, metav1.ListOptions{})
	if err != nil {
		return p.exists(err, "a default ingress class", "")
	}
	for _, one := range list.Items {
		if one.Annotations[defaultIngressClass] == "true" {
			return provision.Checked(p.name, "shops get the default ingress class %s", one.Name)
		}
	}
	return provision.Warned(p.name, "make one the default, name one in common.ingress.className, or use common.route", "it has %d ingress classes, none of which is the default: no shop may be reachable from outside", len(list.Items))
}

// exists is the check of an object that was asked for.
func (p preflight) exists(err error, what, remedy string) provision.Check {
	switch {
	case err == nil:
		return provision.Checked(p.name, "%s exists", what)
	case apierrors.IsNotFound(err):
		return provision.FailedCheck(p.name, remedy, "%s does not exist", what)
	case apierrors.IsForbidden(err):
		return provision.Unchecked(p.name, "whether there is %s: the worker may not look, and does not need to", what)
	}
	return provision.FailedCheck(p.name, "check that the API server is healthy", "%s cannot be read: %s", what, provision.Public(kube.WrapError(err, "read it")))
}

func (p preflight) gateway() provision.Check {
	const groupVersion, remedy = "gateway.networking.k8s.io/v1", "install the Gateway API, or set common.route.enabled to false"
	list, err := p.api.Clientset.Discovery().ServerResourcesForGroupVersion(groupVersion)
	if err == nil {
		for _, one := range list.APIResources {
			if one.Kind == "HTTPRoute" {
				return provision.Checked(p.name, "it has the Gateway API")
			}
		}
	}
	return provision.FailedCheck(p.name, remedy, "it has no HTTPRoute (%s), which the stores' charts are to create", groupVersion)
}

// installations tells whose stores are in the cluster.
func (p preflight) installations(ctx context.Context) (all []provision.Check) {
	saved, err := p.State.ListStores(ctx)
	if err != nil {
		return []provision.Check{provision.FailedCheck(p.name, "check that the API server is healthy", "its stores cannot be listed: %s", provision.Public(err))}
	}
	all = append(all, provision.Checked(p.name, "it has %d stores of this installation", len(saved.Stores)))
	for _, other := range slices.Sorted(maps.Keys(saved.Foreign)) {
		whose := fmt.Sprintf("of the installation %q", other)
		if other == "" {
			whose = "of no installation"
		}
		all = append(all, provision.Warned(p.name, "nothing, if that installation looks after them; else take them over with `worker adopt`",
			"it has %d stores %s; they are left alone", saved.Foreign[other], whose))
	}
	return all
}

// webhooks looks for admission webhooks that would refuse every store, since nothing answers for them.
func (p preflight) webhooks(ctx context.Context) []provision.Check {
	dead, err := webhooks.Find(ctx, p.api.Clientset, trialNamespace(ctx, p.Cluster, "any").Labels)
	switch {
	case apierrors.IsForbidden(err):
		return []provision.Check{provision.Unchecked(p.name, "whether something answers for each admission webhook: the worker may not look, and does not need to")}
	case err != nil:
		return []provision.Check{provision.FailedCheck(p.name, "check that the API server is healthy", "its admission webhooks cannot be read: %s", provision.Public(kube.WrapError(err, "read them")))}
	case len(dead) == 0:
		return []provision.Check{provision.Checked(p.name, "no admission webhook is in the way of stores")}
	}
	var all []provision.Check
	for _, one := range dead {
		all = append(all, provision.FailedCheck(p.name, "start what runs it, or remove the configuration", "nothing answers for the admission webhook %s, so that it refuses what stores consist of", one))
	}
	return all
}

// trialNamespace is a namespace as a store has it, but for the annotations: nothing looks after it, and no record is made of it.
func trialNamespace(ctx context.Context, c *Cluster, name string) *corev1.Namespace {
	s := provision.Store{Request: provision.Request{StoreID: name, Namespace: name}}
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labelsOf(s)}}
	ns.Labels[labelPodSecurity] = podSecurityLevel
	if id, err := c.State.owner.id(ctx); err == nil && id != "" {
		ns.Labels[labelInstallation] = id
	}
	return ns
}

// Try makes a namespace, has the API server take what a store of each engine consists of, admission included, without keeping it, and removes the namespace. It finds what
// no look at the cluster does: a policy that refuses an image, a quota, a right that is missing in a store's namespace. name is what an operator calls the cluster.
func (c *Cluster) Try(ctx context.Context, name string, s provision.Store, releases map[string]provision.Release) (all []provision.Check) {
	s.Namespace = "orchestrator-check-" + strings.ToLower(rand.Text()[:8])
	ns := trialNamespace(ctx, c, s.Namespace)
	failed := func(err error, what string) []provision.Check {
		return append(all, provision.FailedCheck(name, "correct what refuses it, or the installation's values", "%s: %s", what, provision.Public(err)))
	}
	err := c.api.Write(ctx, func() error {
		_, err := c.api.Clientset.CoreV1().Namespaces().Create(ctx, ns, metav1.CreateOptions{})
		return err
	})
	if err != nil {
		return failed(kube.WrapError(err, "create namespace %s", s.Namespace), "the namespace of a store cannot be made")
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), trialEnd)
		defer cancel()
		if err := c.api.Clientset.CoreV1().Namespaces().Delete(ctx, s.Namespace, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			all = append(all, provision.Warned(name, "delete it by hand", "the namespace %s of the trial could not be deleted: %s", s.Namespace, provision.Public(kube.WrapError(err, "delete it"))))
		}
	}()
	if err := c.Namespaces.rbac.bind(ctx, s.Namespace); err != nil {
		return failed(err, "the worker gets no rights in the namespace of a store")
	}
	for _, engine := range slices.Sorted(maps.Keys(releases)) {
		plan, err := c.Releases.helm.Plan(releases[engine])
		if err != nil {
			all = failed(err, "the chart of "+engine)
			continue
		}
		taken, refused, err := c.Releases.helm.Try(ctx, s, plan)
		if err != nil {
			refused = append(refused, err)
		}
		for _, err := range refused {
			all = failed(err, "a store of "+engine+" would be refused")
		}
		if len(refused) == 0 {
			all = append(all, provision.Checked(name, "the API server takes the %d objects of a store of %s, on trial", taken, engine))
		}
	}
	return all
}

// trialEnd is how long the namespace of a trial may take to be deleted.
const trialEnd = 10 * time.Second
