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
	"orchestrator/provision/cluster/kube"
)

// roleBinder gives this process its permissions in a store: it binds itself to one ClusterRole, in the store's namespace
// only. So it can read no Secrets but those of stores, and the admission policy of its chart ensures that it binds no other
// role, no other subject and in no other namespace. See docs/kubernetes.md.
type roleBinder struct {
	api  *kube.Client
	role string // "" if the process needs no binding, such as an administrator

	mu   sync.Mutex
	self *rbacv1.Subject // this process as the API server knows it; nil until it was read
}

// How long to wait until a new binding is effective: the API server's authorizer learns of it by a watch, usually within
// milliseconds.
const (
	rbacTimeout      = 15 * time.Second
	rbacPollInterval = 20 * time.Millisecond // doubled after each request
)

// bind ensures that this process has its permissions in the store's namespace, and that they are effective. The namespace
// must belong to the store and not be terminating: nothing can be created in a terminating namespace, and its content is
// deleted anyway.
func (b *roleBinder) bind(ctx context.Context, namespace string) error {
	if b.role == "" {
		return nil
	}
	self, err := b.selfSubject(ctx)
	if err != nil {
		return err
	}
	want := bindingOf(b.role, self)
	bindings := b.api.Clientset.RbacV1().RoleBindings(namespace)
	found, err := bindings.Get(ctx, want.Name, metav1.GetOptions{})
	switch {
	case err == nil && (found.RoleRef != want.RoleRef || !slices.Equal(found.Subjects, want.Subjects)):
		return provision.Errorf(provision.CodeConflict, "rolebinding %s in namespace %s differs from the one that the orchestrator creates; delete it", want.Name, namespace)
	case err == nil:
		return nil
	case !apierrors.IsNotFound(err):
		return kube.WrapError(err, "read rolebinding %s in namespace %s", want.Name, namespace)
	}
	err = b.api.Write(ctx, func() error {
		_, err := bindings.Create(ctx, want, metav1.CreateOptions{})
		return err
	})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return kube.WrapError(err, "bind the orchestrator to clusterrole %s in namespace %s", b.role, namespace)
	}
	return b.waitForRBAC(ctx, namespace)
}

// bindingOf names the binding after its whole content, so that it never has to be updated: a new role or a new account
// gets a binding of its own next to the old one.
func bindingOf(role string, self rbacv1.Subject) *rbacv1.RoleBinding {
	name := strings.Trim(strings.Join([]string{role, self.Namespace, strings.NewReplacer("/", "|", "%", "|").Replace(self.Name)}, ":"), ":")
	return &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{labelManagedBy: kube.Manager}},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
		Subjects:   []rbacv1.Subject{self},
	}
}

// selfSubject asks the API server, once: its answer is right for every authentication method, unlike a setting.
func (b *roleBinder) selfSubject(ctx context.Context) (rbacv1.Subject, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.self == nil {
		review, err := b.api.Clientset.AuthenticationV1().SelfSubjectReviews().Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
		if err != nil {
			return rbacv1.Subject{}, kube.WrapError(err, "read the orchestrator's own user name")
		}
		self := subjectOf(review.Status.UserInfo.Username)
		b.self = &self
	}
	return *b.self, nil
}

func subjectOf(user string) rbacv1.Subject {
	account, isAccount := strings.CutPrefix(user, "system:serviceaccount:")
	if namespace, name, ok := strings.Cut(account, ":"); isAccount && ok {
		return rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: name}
	}
	return rbacv1.Subject{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: user}
}

// waitForRBAC polls until the permissions are effective. If there are several API servers, it asks the one that this process
// is connected to; if another one lags behind, its refusal is an error that is retried.
func (b *roleBinder) waitForRBAC(ctx context.Context, namespace string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, rbacTimeout, provision.Errorf(provision.CodeUnavailable,
		"the permissions of clusterrole %s are not effective in namespace %s, %s after it was bound", b.role, namespace, rbacTimeout))
	defer cancel()
	for every := rbacPollInterval; ; every *= 2 {
		granted, err := b.granted(ctx, namespace)
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

// granted checks one permission that only the binding grants: all of them become effective together.
func (b *roleBinder) granted(ctx context.Context, namespace string) (bool, error) {
	review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
		ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: namespace, Verb: "get", Resource: "secrets"},
	}}
	result, err := b.api.Clientset.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
	if err != nil {
		return false, kube.WrapError(err, "check the orchestrator's permissions in namespace %s", namespace)
	}
	return result.Status.Allowed, nil
}
