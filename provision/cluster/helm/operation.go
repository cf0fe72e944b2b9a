package helm

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"

	"helm.sh/helm/v3/pkg/action"
	helmkube "helm.sh/helm/v3/pkg/kube"
	"helm.sh/helm/v3/pkg/storage"
	"helm.sh/helm/v3/pkg/storage/driver"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/discovery"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"orchestrator/provision"
	"orchestrator/provision/cluster/kube"
)

func init() {
	helmkube.ManagedFieldsManager = kube.Manager // the default is the binary's file name, and fields would change their manager with it
}

// operation is one use of Helm. Helm's calls cannot be cancelled safely: a cancelled install continues in the background and
// later records itself as deployed. So a call runs to its end, bounded by [provision.ReleaseTimeout], and only the fence,
// which is in the context of every request, stops it between two requests.
type operation struct {
	cfg       *action.Configuration
	records   *records
	objects   *objects
	schemas   *schemas
	apiErrors *apiErrors
	fresh     bool // no release was applied before: the first install does not look whether its objects exist
	cancel    context.CancelFunc
}

func (c *Client) operation(ctx context.Context, namespace string) (*operation, error) {
	caps, err := c.discovery.capabilities()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), provision.ReleaseTimeout)
	op := &operation{schemas: &c.schemas, apiErrors: &apiErrors{}, cancel: cancel}
	getter := &opGetter{api: c.api, namespace: namespace, wrap: op.transport(ctx)}
	core, err := corev1client.NewForConfig(c.api.RESTConfig(getter.wrap))
	if err != nil {
		cancel()
		return nil, err
	}
	log := op.apiErrors.watchLog(helmLog(c.api.Log.With(slog.String("namespace", namespace))))
	op.objects = &objects{Client: helmkube.New(getter)}
	op.objects.Namespace, op.objects.Log = namespace, log
	op.records = &records{Secrets: driver.NewSecrets(core.Secrets(namespace)), api: core.RESTClient(), namespace: namespace, encoder: &encoder{charts: &c.encoded}}
	op.records.Log = log
	releases := storage.Init(op.records)
	releases.Log = log
	op.cfg = &action.Configuration{
		RESTClientGetter: getter, Releases: releases, KubeClient: op.objects, Capabilities: caps, Log: log,
		HookOutputFunc: func(_, _, _ string) io.Writer { return io.Discard },
	}
	return op, nil
}

// transport gives every request the context of the operation, and records the errors that the API server returns.
func (o *operation) transport(ctx context.Context) func(http.RoundTripper) http.RoundTripper {
	return func(next http.RoundTripper) http.RoundTripper {
		return roundTrip(func(req *http.Request) (*http.Response, error) {
			if req.Method == http.MethodGet && o.objects.absent(req.URL.Path) {
				return notFound(req), nil
			}
			res, err := next.RoundTrip(req.WithContext(ctx))
			o.apiErrors.record(req, res, err)
			return res, err
		})
	}
}

// notFound answers instead of the API server.
func notFound(req *http.Request) *http.Response {
	body := `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404}`
	return &http.Response{
		StatusCode: http.StatusNotFound, ProtoMajor: 1, ProtoMinor: 1, Request: req, ContentLength: int64(len(body)),
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body)),
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// opGetter gives Helm and cli-runtime access to the cluster during one operation.
type opGetter struct {
	api       *kube.Client
	namespace string
	wrap      func(http.RoundTripper) http.RoundTripper
}

// ToRESTConfig returns a new copy each time: cli-runtime writes the API path of a kind into it.
func (g *opGetter) ToRESTConfig() (*rest.Config, error) { return g.api.RESTConfig(g.wrap), nil }

func (g *opGetter) ToDiscoveryClient() (discovery.CachedDiscoveryInterface, error) {
	return g.api.Discovery, nil
}

func (g *opGetter) ToRESTMapper() (meta.RESTMapper, error) { return g.api.Mapper, nil }

// ToRawKubeConfigLoader serves the default namespace only.
func (g *opGetter) ToRawKubeConfigLoader() clientcmd.ClientConfig {
	overrides := &clientcmd.ConfigOverrides{}
	overrides.Context.Namespace = g.namespace
	return clientcmd.NewDefaultClientConfig(*clientcmdapi.NewConfig(), overrides)
}

// helmLog turns Helm's format strings into log records. Helm logs names and counts, no values.
func helmLog(log *slog.Logger) func(string, ...any) {
	return func(format string, args ...any) {
		if log.Enabled(context.Background(), slog.LevelDebug) {
			log.Debug(fmt.Sprintf(format, args...), "from", "helm")
		}
	}
}
