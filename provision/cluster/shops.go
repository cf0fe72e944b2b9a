package cluster

import (
	"cmp"
	"context"
	"net"
	"net/http"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"

	"orchestrator/provision"
	"orchestrator/provision/cluster/kube"
	"orchestrator/provision/cluster/readiness"
)

// Shops implements [provision.Shops] with a port-forward through the API server: it needs no DNS, no ingress and no access
// to the pod network, only the permission for pods/portforward.
type Shops struct {
	api         *kube.Client
	credentials *Credentials
}

const (
	shopPort    = "http"           // the name of the port of the store's Service
	shopTimeout = 20 * time.Second // for one response of the shop; the first one takes a few seconds
)

// Open implements [provision.Shops]. It connects to one ready pod behind the Service that has the release's name.
// CodeUnavailable means that no such pod exists or can be reached now.
func (o *Shops) Open(ctx context.Context, s provision.Store) (provision.Shop, func(), error) {
	pod, port, err := o.target(ctx, s)
	if err != nil {
		return provision.Shop{}, nil, err
	}
	if err := kube.CheckFence(ctx); err != nil {
		return provision.Shop{}, nil, err
	}
	secret, err := o.secret(ctx, s)
	if err != nil {
		return provision.Shop{}, nil, err
	}
	verified, outputs := verification(secret)
	tunnel, err := o.api.PortForward(ctx, s.Namespace, pod, port)
	if err != nil {
		return provision.Shop{}, nil, err
	}
	client, done := shopClient(tunnel.Dial)
	shop := provision.Shop{
		HTTP:           client,
		VerifiedBefore: verified,
		Outputs:        outputs,
		Credential:     func(_ context.Context, key string) (string, error) { return credentialIn(secret, s, key) },
	}
	return shop, func() { done(); tunnel.Close() }, nil
}

// shopClient sends every request through dial, whatever its host is, and returns redirects instead of following them.
func shopClient(dial func() (net.Conn, error)) (client *http.Client, done func()) {
	transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return dial() }}
	return &http.Client{
		Transport:     forwardedTransport{transport},
		Timeout:       shopTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, transport.CloseIdleConnections
}

// forwardedTransport sends plain HTTP to the pod, as the ingress does, with the scheme that the shopper would have used in
// X-Forwarded-Proto.
type forwardedTransport struct{ next http.RoundTripper }

func (p forwardedTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	forwarded := req.Clone(req.Context())
	forwarded.Host = cmp.Or(req.Host, req.URL.Host)
	forwarded.Header.Set("X-Forwarded-Proto", req.URL.Scheme)
	forwarded.URL.Scheme = "http"
	return p.next.RoundTrip(forwarded)
}

// target resolves the store's Service to a pod and its port.
func (o *Shops) target(ctx context.Context, s provision.Store) (pod string, port int32, err error) {
	core := o.api.Clientset.CoreV1()
	service, err := core.Services(s.Namespace).Get(ctx, s.ReleaseName(), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return "", 0, provision.Errorf(provision.CodeUnavailable, "service %s does not exist", s.ReleaseName())
	}
	if err != nil {
		return "", 0, kube.WrapError(err, "read service %s", s.ReleaseName())
	}
	if !belongsTo(service.Labels, s) {
		return "", 0, provision.Errorf(provision.CodeConflict, "service %s does not belong to this store", s.ReleaseName())
	}
	pods, err := core.Pods(s.Namespace).List(ctx, metav1.ListOptions{LabelSelector: labels.SelectorFromSet(service.Spec.Selector).String()})
	if err != nil {
		return "", 0, kube.WrapError(err, "list the pods of service %s", s.ReleaseName())
	}
	ready := newestReady(pods.Items)
	if ready == nil {
		return "", 0, provision.Errorf(provision.CodeUnavailable, "service %s has no ready pod", s.ReleaseName())
	}
	if port = targetPort(service, ready); port == 0 {
		return "", 0, provision.Errorf(provision.CodeInvalid, "service %s has no port named %s that leads to pod %s", s.ReleaseName(), shopPort, ready.Name)
	}
	return ready.Name, port, nil
}

// newestReady returns the youngest pod that is ready and not being deleted, which belongs to the newer of two revisions.
func newestReady(pods []corev1.Pod) *corev1.Pod {
	slices.SortFunc(pods, func(a, b corev1.Pod) int {
		return b.CreationTimestamp.Compare(a.CreationTimestamp.Time)
	})
	for i := range pods {
		if pods[i].DeletionTimestamp == nil && readiness.PodReady(&pods[i]) {
			return &pods[i]
		}
	}
	return nil
}

// targetPort returns the number of the pod's port that the Service's http port targets; 0 if there is none.
func targetPort(service *corev1.Service, pod *corev1.Pod) int32 {
	for _, p := range service.Spec.Ports {
		switch {
		case p.Name != shopPort:
		case p.TargetPort.Type == intstr.Int && p.TargetPort.IntVal > 0:
			return p.TargetPort.IntVal
		case p.TargetPort.Type == intstr.String:
			return containerPort(pod, p.TargetPort.StrVal)
		default:
			return p.Port
		}
	}
	return 0
}

func containerPort(pod *corev1.Pod, name string) int32 {
	for _, container := range pod.Spec.Containers {
		for _, p := range container.Ports {
			if p.Name == name {
				return p.ContainerPort
			}
		}
	}
	return 0
}
