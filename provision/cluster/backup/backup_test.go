package backup

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/rest"
	clienttesting "k8s.io/client-go/testing"

	"orchestrator/provision"
	"orchestrator/provision/backup"
	"orchestrator/provision/cluster/kube"
)

// The fake API server does not stream what it has at the beginning of a watch, as a real one does.
func TestMain(m *testing.M) {
	if err := os.Setenv("KUBE_FEATURE_WatchListClient", "false"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

const (
	oldKey  = "an-old-key-of-the-repositories-0000"
	newKey  = "the-new-key-of-the-repositories-000"
	gateKey = "the-key-of-the-gate-000000000000000"
	written = `{"run":"r","at":1700000000,"database":"d","files":"f","secrets":"s","added":5,"bytes":70,"number":3,"orders":2,"products":1,"myisam":0,"seconds":9}`
)

var store = provision.Store{Generation: 7, Request: provision.Request{StoreID: "store-1", Name: "shop-1", Engine: "tiny", Namespace: "store-1"}}

func keys(t *testing.T, text string) backup.Keys {
	t.Helper()
	parsed, err := backup.ParseKeys(text)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// rig is a cluster whose pods end as they are made.
type rig struct {
	*Maker
	client    *fake.Clientset
	phase     corev1.PodPhase
	says      string
	seen      *corev1.Secret // the Secret as it was when the pod was made; nil: none
	saved     []provision.Backup
	refuse    error // of saving
	abandoned int
}

func newRig(t *testing.T, mode corev1.PersistentVolumeAccessMode) *rig {
	t.Helper()
	api, err := kube.New(kube.Config{Log: slog.New(slog.DiscardHandler)}, &rest.Config{Host: "http://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	claim := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Name: "shop-1-data", Namespace: store.Namespace},
		Spec: corev1.PersistentVolumeClaimSpec{AccessModes: []corev1.PersistentVolumeAccessMode{mode}}}
	r := &rig{client: fake.NewClientset(claim), phase: corev1.PodSucceeded, says: written}
	r.client.PrependReactor("create", "pods", func(action clienttesting.Action) (bool, runtime.Object, error) {
		object, err := r.client.Tracker().Get(corev1.SchemeGroupVersion.WithResource("secrets"), store.Namespace, provision.BackupAccessSecret)
		if r.seen, _ = object.(*corev1.Secret); err != nil {
			r.seen = nil
		}
		pod := action.(clienttesting.CreateAction).GetObject().(*corev1.Pod)
		ended := &corev1.ContainerStateTerminated{Message: r.says}
		if r.phase == corev1.PodFailed {
			ended.ExitCode = 1
		}
		pod.Status = corev1.PodStatus{Phase: r.phase, ContainerStatuses: []corev1.ContainerStatus{{Name: pod.Spec.Containers[0].Name, State: corev1.ContainerState{Terminated: ended}}}}
		return false, nil, nil // and so it is kept
	})
	api.Clientset = r.client
	r.Maker = &Maker{API: api, Access: Access{Gate: "https://gate.example.com/", GateCA: "an authority", Keys: keys(t, newKey+","+oldKey), GateKeys: keys(t, gateKey)},
		Installation: func(context.Context) (string, error) { return "prod", nil },
		Save: func(_ context.Context, _ provision.Store, made provision.Backup) error {
			r.saved = append(r.saved, made)
			return r.refuse
		},
		Render: func(_ context.Context, s provision.Store, _ provision.Release, name string) (*corev1.Pod, error) {
			volume := corev1.Volume{Name: "data", VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "shop-1-data"}}}
			return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "shop-1-" + name, Namespace: s.Namespace},
				Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: name}}, Volumes: []corev1.Volume{volume, {Name: "tmp"}}}}, nil
		}}
	return r
}

func (r *rig) make(t *testing.T) (provision.Backup, error) {
	t.Helper()
	return r.MakeBackup(t.Context(), store, provision.Release{}, time.Now().Add(time.Minute))
}

// left are the Secrets and the pods that are there.
func (r *rig) left(t *testing.T) (names []string) {
	t.Helper()
	secrets, err := r.client.CoreV1().Secrets(store.Namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range secrets.Items {
		names = append(names, s.Name)
	}
	pods, err := r.client.CoreV1().Pods(store.Namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pods.Items {
		names = append(names, p.Name)
	}
	return names
}

func TestMakeBackup(t *testing.T) {
	r := newRig(t, corev1.ReadWriteOnce)
	got, err := r.make(t)
	want := provision.Backup{Run: "r", At: time.Unix(1700000000, 0).UTC(), Database: "d", Files: "f", Secrets: "s", Added: 5, Bytes: 70, Number: 3, Orders: 2, Products: 1, Seconds: 9}
	if err != nil || got != want || len(r.saved) != 1 || r.saved[0] != want {
		t.Errorf("%+v, %v; saved %+v", got, err, r.saved)
	}
	if left := r.left(t); len(left) > 0 {
		t.Errorf("%v are left", left)
	}
}

// TestMakeBackupGivesWhatOpensOneStore: the repository of this store, its passwords, the newest first, and nothing that they are derived from.
func TestMakeBackupGivesWhatOpensOneStore(t *testing.T) {
	r := newRig(t, corev1.ReadWriteOnce)
	if _, err := r.make(t); err != nil || r.seen == nil {
		t.Fatalf("the pod has seen the Secret %v: %v", r.seen, err)
	}
	label, got := provision.StoreLabel("store-1"), r.seen.StringData
	all := r.Access.Keys.RepositoryPasswords("prod", label)
	want := map[string]string{"repository": "rest:https://gate.example.com/prod/" + label + "/", "username": label, "password": all[0], "previous-passwords": all[1],
		"gate-ca": "an authority", "gate-password": r.Access.GateKeys.GatePasswords("prod", label)[0]}
	for key, value := range want {
		if got[key] != value {
			t.Errorf("%s is %q, want %q", key, got[key], value)
		}
	}
	if len(got) != len(want) || r.seen.Labels[provision.LabelStore] != label {
		t.Errorf("it has %d entries, want %d; its labels are %v", len(got), len(want), r.seen.Labels)
	}
	for _, key := range []string{oldKey, newKey, gateKey} {
		if strings.Contains(r.seen.String(), key) {
			t.Error("a key of the installation is in the store's namespace")
		}
	}
}

// TestMakeBackupAfterAWorkerThatDied: the Secret that it has left may be of other keys, and goes with this backup.
func TestMakeBackupAfterAWorkerThatDied(t *testing.T) {
	r := newRig(t, corev1.ReadWriteMany)
	stale := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: provision.BackupAccessSecret, Namespace: store.Namespace}, StringData: map[string]string{"password": "stale"}}
	if _, err := r.client.CoreV1().Secrets(store.Namespace).Create(t.Context(), stale, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.make(t); err != nil || r.seen.StringData["password"] == "stale" || len(r.left(t)) > 0 {
		t.Errorf("%v; the pod has seen %v, and %v are left", err, r.seen, r.left(t))
	}
}

func TestMakeBackupThatFailsLeavesNoSecret(t *testing.T) {
	for name, c := range map[string]struct {
		phase corev1.PodPhase
		says  string
		code  provision.Code
		text  string
	}{
		"its pod fails":          {corev1.PodFailed, "backup: the database cannot be counted: it is away", provision.CodeCrash, "failed 3 times: container backup ended 1 times, last with exit code 1: backup: the database cannot be counted: it is away"},
		"it says nothing":        {corev1.PodSucceeded, "", provision.CodeCrash, "does not say what it has made"},
		"a part is missing":      {corev1.PodSucceeded, `{"run":"r","at":1,"database":"d"}`, provision.CodeCrash, "does not say what it has made"},
		"it does not say when":   {corev1.PodSucceeded, `{"run":"r","secrets":"s"}`, provision.CodeCrash, "does not say what it has made"},
		"it says something else": {corev1.PodSucceeded, "password=hunter2", provision.CodeCrash, "does not say what it has made"},
		"it never ends":          {corev1.PodPending, "", provision.CodeTimeout, "did not end in time"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, corev1.ReadWriteOnce)
			r.phase, r.says = c.phase, c.says
			_, err := r.MakeBackup(t.Context(), store, provision.Release{}, time.Now().Add(map[bool]time.Duration{true: time.Second, false: time.Minute}[c.code == provision.CodeTimeout]))
			if provision.CodeOf(err) != c.code || !strings.Contains(provision.Public(err), c.text) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%v, want %s: %s", err, c.code, c.text)
			}
			if len(r.saved) > 0 {
				t.Errorf("saved %+v", r.saved)
			}
			if left := r.left(t); slices.Contains(left, provision.BackupAccessSecret) {
				t.Errorf("%v are left", left)
			}
		})
	}
}

// TestMakeBackupThatIsNotWantedAnyMore: a newer request ends it, and what opens the repository does not stay.
func TestMakeBackupThatIsNotWantedAnyMore(t *testing.T) {
	r := newRig(t, corev1.ReadWriteOnce)
	r.phase = corev1.PodRunning
	ctx, cancel := context.WithCancelCause(t.Context())
	superseded := errors.New("superseded")
	r.client.PrependReactor("create", "pods", func(clienttesting.Action) (bool, runtime.Object, error) {
		time.AfterFunc(10*time.Millisecond, func() { cancel(superseded) })
		return false, nil, nil
	})
	_, err := r.MakeBackup(ctx, store, provision.Release{}, time.Now().Add(time.Minute))
	if !errors.Is(err, superseded) || len(r.left(t)) > 0 {
		t.Errorf("%v; %v are left", err, r.left(t))
	}
}

// TestMakeBackupThatIsNotSaved: it is there all the same.
func TestMakeBackupThatIsNotSaved(t *testing.T) {
	r := newRig(t, corev1.ReadWriteOnce)
	r.refuse = errors.New("the API server is away")
	if made, err := r.make(t); err != nil || made.Run != "r" {
		t.Errorf("%+v, %v", made, err)
	}
}

func TestMakeBackupOfAVolumeThatNoOtherPodMayUse(t *testing.T) {
	r := newRig(t, corev1.ReadWriteOncePod)
	_, err := r.make(t)
	if provision.CodeOf(err) != provision.CodeConflict || !strings.Contains(provision.Public(err), "volume claim shop-1-data has the access mode ReadWriteOncePod") {
		t.Errorf("%v", err)
	}
	if r.seen != nil || len(r.left(t)) > 0 {
		t.Error("something was made for it")
	}
}

func TestMakeBackupOfAnInstallationWhoseNameIsNotKnownNow(t *testing.T) {
	r := newRig(t, corev1.ReadWriteOnce)
	r.Installation = func(context.Context) (string, error) { return "", errors.New("Redis is away") }
	if _, err := r.make(t); provision.CodeOf(err) != provision.CodeUnavailable || len(r.left(t)) > 0 {
		t.Errorf("%v; %v are left", err, r.left(t))
	}
}
