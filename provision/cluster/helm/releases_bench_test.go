package helm

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"orchestrator/charts"
	"orchestrator/provision"
	"orchestrator/provision/cluster/kube"
	"orchestrator/provision/engine"
)

// kindsOfShops are the kinds that the charts use, by group and version.
var kindsOfShops = map[string][]string{
	"v1":                   {"ConfigMap", "Secret", "Service", "ServiceAccount", "PersistentVolumeClaim", "ResourceQuota", "LimitRange"},
	"apps/v1":              {"Deployment", "StatefulSet"},
	"batch/v1":             {"Job", "CronJob"},
	"networking.k8s.io/v1": {"NetworkPolicy", "Ingress"},
	"policy/v1":            {"PodDisruptionBudget"},
}

// absentAPI knows the kinds of shops, has none of their objects, and takes each that is sent.
func absentAPI(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	path := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/api/"), "/apis/")
	switch kinds, known := kindsOfShops[path]; {
	case r.Method != http.MethodGet:
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, `{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","metadata":{}}`)
	case known:
		list := &metav1.APIResourceList{GroupVersion: path}
		for _, kind := range kinds {
			plural := strings.ToLower(kind) + "s"
			if rest, ok := strings.CutSuffix(plural, "ys"); ok {
				plural = rest + "ies"
			} else if strings.HasSuffix(kind, "ss") {
				plural = strings.ToLower(kind) + "es"
			}
			list.APIResources = append(list.APIResources, metav1.APIResource{Name: plural, Kind: kind, Namespaced: true, Verbs: []string{"create", "get"}})
		}
		_ = json.NewEncoder(w).Encode(list)
	case r.URL.Path == "/apis":
		groups := &metav1.APIGroupList{}
		for version := range kindsOfShops {
			if group, _, named := strings.Cut(version, "/"); named {
				v := metav1.GroupVersionForDiscovery{GroupVersion: version, Version: "v1"}
				groups.Groups = append(groups.Groups, metav1.APIGroup{Name: group, Versions: []metav1.GroupVersionForDiscovery{v}, PreferredVersion: v})
			}
		}
		_ = json.NewEncoder(w).Encode(groups)
	case strings.HasSuffix(path, "/persistentvolumeclaims"):
		_, _ = io.WriteString(w, `{"apiVersion":"v1","kind":"PersistentVolumeClaimList","items":[]}`)
	case strings.Contains(path, "/namespaces/") && !strings.HasSuffix(path, "/secrets"):
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404}`)
	default:
		emptyAPI(w, r)
	}
}

// BenchmarkInstall is what a first install costs the worker, the API server in the same process included.
func BenchmarkInstall(b *testing.B) {
	for name, one := range engine.All() {
		b.Run(name, func(b *testing.B) {
			server := httptest.NewServer(http.HandlerFunc(absentAPI))
			defer server.Close()
			api, err := kube.New(kube.Config{Log: slog.New(slog.DiscardHandler)}, &rest.Config{Host: server.URL})
			if err != nil {
				b.Fatal(err)
			}
			c, err := New(api, Charts{FS: charts.FS, Env: "development"})
			if err != nil {
				b.Fatal(err)
			}
			s := testStore(1)
			s.Engine, s.Settings = name, provision.Settings{Title: "Kaffee", Currency: "EUR", Country: "DE"}
			want, err := one.Release(s)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				plan, err := c.Plan(want)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := c.Apply(b.Context(), s, plan, true); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
