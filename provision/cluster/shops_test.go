package cluster

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func TestShopClientSendsPlainHTTPLikeTheIngress(t *testing.T) {
	shop := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/moved" {
			http.Redirect(w, r, "https://elsewhere.example/", http.StatusFound)
			return
		}
		_, _ = io.WriteString(w, r.Host+" "+r.Header.Get("X-Forwarded-Proto")+" "+r.URL.Path)
	}))
	defer shop.Close()
	client, done := shopClient(func() (net.Conn, error) { return net.Dial("tcp", shop.Listener.Addr().String()) })
	defer done()
	for url, want := range map[string]string{
		"https://shop.example/a":     "shop.example https /a",
		"http://shop.example:8080/b": "shop.example:8080 http /b",
	} {
		res, err := client.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		got, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if string(got) != want {
			t.Errorf("%s: the shop sees %q, want %q", url, got, want)
		}
	}
	res, err := client.Get("https://shop.example/moved")
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusFound {
		t.Errorf("status %d: a redirect was followed", res.StatusCode)
	}
}

func TestTargetPortOfTheNewestReadyPod(t *testing.T) {
	pod := func(name string, age time.Duration, ready corev1.ConditionStatus, going bool) corev1.Pod {
		p := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: metav1.NewTime(noon.Add(-age))}}
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: ready}}
		p.Spec.Containers = []corev1.Container{{Ports: []corev1.ContainerPort{{Name: "web", ContainerPort: 8080}}}}
		if going {
			p.DeletionTimestamp = &metav1.Time{Time: noon}
		}
		return p
	}
	found := newestReady([]corev1.Pod{pod("old", time.Hour, corev1.ConditionTrue, false), pod("new", time.Minute, corev1.ConditionTrue, false),
		pod("starting", 0, corev1.ConditionFalse, false), pod("going", 0, corev1.ConditionTrue, true)})
	if found == nil || found.Name != "new" {
		t.Fatalf("found %v, want the newest that is ready and stays", found)
	}
	service := func(name string, target intstr.IntOrString) *corev1.Service {
		return &corev1.Service{Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Name: "metrics", Port: 9}, {Name: name, Port: 80, TargetPort: target}}}}
	}
	for _, c := range []struct {
		service *corev1.Service
		want    int32
	}{
		{service("http", intstr.FromString("web")), 8080},
		{service("http", intstr.FromInt32(3000)), 3000},
		{service("http", intstr.IntOrString{}), 80},
		{service("http", intstr.FromString("absent")), 0},
		{service("https", intstr.FromInt32(3000)), 0},
	} {
		if got := targetPort(c.service, found); got != c.want {
			t.Errorf("ports %+v lead to %d, want %d", c.service.Spec.Ports, got, c.want)
		}
	}
}
