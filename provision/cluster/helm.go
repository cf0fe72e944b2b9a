package cluster

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"time"

	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/kube"
	"helm.sh/helm/v3/pkg/storage"
	"helm.sh/helm/v3/pkg/storage/driver"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/discovery"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// helmTimeout bounds one convergence of a release. Helm does not wait for pods here, so it takes seconds; a stop of the
// process or a newer request waits for it.
const helmTimeout = 60 * time.Second

func init() {
	kube.ManagedFieldsManager = Manager // else it is the binary's file name, and fields change hands when that changes
}

// operation is one use of Helm. Helm's calls take no context that could be ended without harm: a cancelled install goes
// on in the background and later calls itself deployed. So a call runs to its end, bounded by helmTimeout, and only the
// fence, which is in every request's context, stops it between two requests.
type operation struct {
	cfg  *action.Configuration
	seen *refusals
	end  context.CancelFunc
}

func (c *Cluster) operation(ctx context.Context, namespace string) (*operation, error) {
	caps, err := c.disco.capabilities()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), helmTimeout)
	op := &operation{seen: &refusals{}, end: cancel}
	getter := &opGetter{conn: c.conn, disco: c.disco, namespace: namespace, wrap: op.transport(ctx)}
	records, err := corev1client.NewForConfig(c.conn.config(getter.wrap))
	if err != nil {
		cancel()
		return nil, err
	}
	log := op.seen.listen(helmLog(c.log.With(slog.String("namespace", namespace))))
	client := kube.New(getter)
	client.Namespace, client.Log = namespace, log
	secrets := driver.NewSecrets(records.Secrets(namespace))
	secrets.Log = log
	releases := storage.Init(secrets)
	releases.Log = log
	op.cfg = &action.Configuration{
		RESTClientGetter: getter, Releases: releases, KubeClient: client, Capabilities: caps, Log: log,
		HookOutputFunc: func(_, _, _ string) io.Writer { return io.Discard },
	}
	return op, nil
}

// transport gives every request of the operation its context, and notes what is answered with a refusal.
func (o *operation) transport(ctx context.Context) func(http.RoundTripper) http.RoundTripper {
	return func(next http.RoundTripper) http.RoundTripper {
		return roundTrip(func(req *http.Request) (*http.Response, error) {
			res, err := next.RoundTrip(req.WithContext(ctx))
			o.seen.note(req, res, err)
			return res, err
		})
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// opGetter is how Helm and cli-runtime reach the cluster during one operation.
type opGetter struct {
	conn      *connection
	disco     *discovered
	namespace string
	wrap      func(http.RoundTripper) http.RoundTripper
}

// ToRESTConfig returns a copy each time: cli-runtime writes the path of the kind it talks about into it.
func (g *opGetter) ToRESTConfig() (*rest.Config, error) { return g.conn.config(g.wrap), nil }

func (g *opGetter) ToDiscoveryClient() (discovery.CachedDiscoveryInterface, error) {
	return g.disco.client, nil
}

func (g *opGetter) ToRESTMapper() (meta.RESTMapper, error) { return g.disco.mapper, nil }

// ToRawKubeConfigLoader is asked for the default namespace only.
func (g *opGetter) ToRawKubeConfigLoader() clientcmd.ClientConfig {
	overrides := &clientcmd.ConfigOverrides{}
	overrides.Context.Namespace = g.namespace
	return clientcmd.NewDefaultClientConfig(*clientcmdapi.NewConfig(), overrides)
}
