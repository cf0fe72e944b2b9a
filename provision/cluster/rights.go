package cluster

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"orchestrator/provision"
)

// rights is how this process comes by its rights inside a store: it binds itself to one ClusterRole, in the store's
// namespace alone. So it can read no Secret but those of stores, and its chart's admission policy sees to it that it
// binds nothing else, nobody else and nowhere else. See docs/kubernetes.md.
type rights struct {
	role string // "" where the process has its rights already, such as an administrator's

	mu   sync.Mutex
	self *rbacv1.Subject // as the API server knows this process; nil until it was asked
}

// How long the rights of a new binding are waited for: the API server's authorizer hears of it by a watch, in
// milliseconds as a rule.
const (
	grantedWithin = 15 * time.Second
	grantedEvery  = 20 * time.Millisecond // doubled from question to question
)

// bind makes sure that this process has its rights in the store's namespace, and that the API server has noticed. The
// namespace must be the store's and not be going: nothing can be made in one that is, and all in it goes by itself.
func (c *Cluster) bind(ctx context.Context, namespace string) error {
	if c.rights.role == "" {
		return nil
	}
	self, err := c.whoAmI(ctx)
	if err != nil {
		return err
	}
	want := bindingOf(c.rights.role, self)
	bindings := c.client.RbacV1().RoleBindings(namespace)
	found, err := bindings.Get(ctx, want.Name, metav1.GetOptions{})
	switch {
	case err == nil && (found.RoleRef != want.RoleRef || !slices.Equal(found.Subjects, want.Subjects)):
		return provision.Errorf(provision.CodeConflict, "rolebinding %s in namespace %s is not as the orchestrator makes it; delete it", want.Name, namespace)
	case err == nil:
		return nil
	case !apierrors.IsNotFound(err):
		return failure(err, "read rolebinding %s in namespace %s", want.Name, namespace)
	}
	err = c.write(ctx, func() error {
		_, err := bindings.Create(ctx, want, metav1.CreateOptions{})
		return err
	})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return failure(err, "bind itself to clusterrole %s in namespace %s", c.rights.role, namespace)
	}
	return c.awaitGranted(ctx, namespace)
}

// bindingOf is named by all that it says, so that it never has to be changed: a new role or a new account has a binding
// of its own beside the old one.
func bindingOf(role string, self rbacv1.Subject) *rbacv1.RoleBinding {
	name := strings.Trim(strings.Join([]string{role, self.Namespace, strings.NewReplacer("/", "|", "%", "|").Replace(self.Name)}, ":"), ":")
	return &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{labelManagedBy: Manager}},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
		Subjects:   []rbacv1.Subject{self},
	}
}

// whoAmI asks the API server, once: it knows better than any setting, and for every way to log in.
func (c *Cluster) whoAmI(ctx context.Context) (rbacv1.Subject, error) {
	c.rights.mu.Lock()
	defer c.rights.mu.Unlock()
	if c.rights.self == nil {
		review, err := c.client.AuthenticationV1().SelfSubjectReviews().Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
		if err != nil {
			return rbacv1.Subject{}, failure(err, "ask who the orchestrator is to the cluster")
		}
		self := subjectOf(review.Status.UserInfo.Username)
		c.rights.self = &self
	}
	return *c.rights.self, nil
}

func subjectOf(user string) rbacv1.Subject {
	account, isAccount := strings.CutPrefix(user, "system:serviceaccount:")
	if namespace, name, ok := strings.Cut(account, ":"); isAccount && ok {
		return rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: name}
	}
	return rbacv1.Subject{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: user}
}

// awaitGranted asks until the rights count. Where several API servers answer, the one that this process is connected to
// says so; should another one be behind, its refusal is an error that is tried again.
func (c *Cluster) awaitGranted(ctx context.Context, namespace string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, grantedWithin, provision.Errorf(provision.CodeUnavailable,
		"the cluster does not grant what clusterrole %s should in namespace %s, %s after it was bound", c.rights.role, namespace, grantedWithin))
	defer cancel()
	for every := grantedEvery; ; every *= 2 {
		granted, err := c.granted(ctx, namespace)
		if granted {
			return nil
		}
		if err != nil && ctx.Err() == nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(every):
		}
	}
}

// granted asks for one right that only the binding gives: they all come together.
func (c *Cluster) granted(ctx context.Context, namespace string) (bool, error) {
	review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
		ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: namespace, Verb: "get", Resource: "secrets"},
	}}
	answer, err := c.client.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
	if err != nil {
		return false, failure(err, "ask for its rights in namespace %s", namespace)
	}
	return answer.Status.Allowed, nil
}
