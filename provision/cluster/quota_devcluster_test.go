//go:build devcluster

package cluster

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"

	"orchestrator/provision"
)

// quotaName is the name of the quota of [forbid].
const quotaName = "none"

// forbid creates a quota of 0 for a resource and waits until the API server enforces it: its admission plugin learns of a
// quota from an informer, and ignores it until the quota controller has written its status.
func forbid(t *testing.T, c *Cluster, s provision.Store, what corev1.ResourceName) {
	t.Helper()
	quota := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Name: quotaName}, Spec: corev1.ResourceQuotaSpec{
		Hard: corev1.ResourceList{what: resource.MustParse("0")}}}
	if _, err := c.api.Clientset.CoreV1().ResourceQuotas(s.Namespace).Create(t.Context(), quota, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	poll(t, "the quota is enforced", func(ctx context.Context) error {
		switch err := tryCreate(ctx, c, s, what); {
		case err == nil:
			return errors.New("the request was allowed")
		case strings.Contains(err.Error(), "exceeded quota: "+quotaName):
			return nil
		default:
			return err
		}
	})
}

// allow takes the quota away and waits until the API server has forgotten it.
func allow(t *testing.T, c *Cluster, s provision.Store, what corev1.ResourceName) {
	t.Helper()
	if err := c.api.Clientset.CoreV1().ResourceQuotas(s.Namespace).Delete(t.Context(), quotaName, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	poll(t, "the quota is forgotten", func(ctx context.Context) error { return tryCreate(ctx, c, s, what) })
}

// tryCreate asks to create one of what a quota counts, and changes nothing.
func tryCreate(ctx context.Context, c *Cluster, s provision.Store, what corev1.ResourceName) (err error) {
	meta, dry := metav1.ObjectMeta{Name: "probe"}, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}
	switch core := c.api.Clientset.CoreV1(); what {
	case "count/services":
		_, err = core.Services(s.Namespace).Create(ctx, &corev1.Service{ObjectMeta: meta, Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}}}, dry)
	case "count/configmaps":
		_, err = core.ConfigMaps(s.Namespace).Create(ctx, &corev1.ConfigMap{ObjectMeta: meta}, dry)
	case "pods":
		_, err = core.Pods(s.Namespace).Create(ctx, &corev1.Pod{ObjectMeta: meta, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "x", Image: "x"}}}}, dry)
	default:
		err = errors.New("no request is known that counts as " + string(what))
	}
	return err
}

// poll asks until check returns nil. The limit is for failures only.
func poll(t *testing.T, what string, check func(context.Context) error) {
	t.Helper()
	var last error
	err := wait.PollUntilContextTimeout(t.Context(), 20*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		last = check(ctx)
		return last == nil, nil
	})
	if err != nil {
		t.Fatalf("%s: not within a minute: %v", what, last)
	}
}
