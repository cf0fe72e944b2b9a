// Package backup has stores backed up by a pod of their charts, which gets what opens the store's repository for as long as it runs.
package backup

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"orchestrator/provision"
	"orchestrator/provision/backup"
	"orchestrator/provision/cluster/job"
	"orchestrator/provision/cluster/kube"
)

// Access is what opens the repositories of stores. The zero value opens none.
type Access struct {
	Gate           string      // the URL of the gate, without a path
	GateCA         string      // PEM of the authorities that the gate's certificate is checked with; "": the image's
	Keys, GateKeys backup.Keys // of the repositories, and of the gate
}

// Render renders the pod of a job of the chart of a store, in a namespace that belongs to it.
type Render func(ctx context.Context, s provision.Store, want provision.Release, name string) (*corev1.Pod, error)

// Maker implements [provision.BackupMaker].
type Maker struct {
	API    *kube.Client
	Access Access
	// Installation is the one whose repositories they are: a part of their paths, and of what their passwords are derived from.
	Installation func(context.Context) (string, error)
	Render       Render
	// Save keeps a backup that was made in the cluster too.
	Save func(context.Context, provision.Store, provision.Backup) error
}

const (
	jobBackup    = "backup" // the name of the charts' job
	labelManaged = "app.kubernetes.io/managed-by"
	takeTimeout  = 10 * time.Second // to delete the Secret of a backup that is not wanted any more
)

// MakeBackup implements [provision.BackupMaker]. The Secret is there before the pod and gone after it. A run that ends in between leaves both: the next one finds the pod, and
// removes the Secret; a delete or a suspension removes both too.
func (m *Maker) MakeBackup(ctx context.Context, s provision.Store, want provision.Release, deadline time.Time) (provision.Backup, error) {
	pod, err := m.Render(ctx, s, want, jobBackup)
	if err == nil {
		err = m.mayMount(ctx, pod)
	}
	if err == nil {
		err = m.prepare(ctx, s, pod, s.Generation)
	}
	if err != nil {
		return provision.Backup{}, err
	}
	message, err := job.Run(ctx, m.API, pod, deadline)
	if taken := m.take(ctx, s); err == nil {
		err = taken
	}
	if err != nil {
		return provision.Backup{}, err
	}
	made, err := parse(pod.Name, message)
	if err != nil {
		return provision.Backup{}, err
	}
	if err := m.Save(ctx, s, made); err != nil {
		m.API.Log.Warn("a backup is not saved in the cluster; after a loss of Redis the one before it would be known", "store_id", s.StoreID, "error", err)
	}
	return made, nil
}

// mayMount refuses a volume that no other pod may use beside the shop's: the pod would wait for it until its deadline.
func (m *Maker) mayMount(ctx context.Context, pod *corev1.Pod) error {
	for _, volume := range pod.Spec.Volumes {
		if volume.PersistentVolumeClaim == nil {
			continue
		}
		name := volume.PersistentVolumeClaim.ClaimName
		claim, err := m.API.Clientset.CoreV1().PersistentVolumeClaims(pod.Namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return kube.WrapError(err, "read volume claim %s in namespace %s", name, pod.Namespace)
		}
		if slices.Contains(claim.Spec.AccessModes, corev1.ReadWriteOncePod) {
			return provision.Errorf(provision.CodeConflict, "volume claim %s has the access mode ReadWriteOncePod, so that nothing but the shop's own pod can read it: a backup needs ReadWriteOnce or ReadWriteMany", name)
		}
	}
	return nil
}

// prepare ends what earlier jobs have left, and gives the pod what opens the repository. A pod that was made for another generation has seen the credentials of then.
func (m *Maker) prepare(ctx context.Context, s provision.Store, pod *corev1.Pod, generation int64) error {
	metav1.SetMetaDataAnnotation(&pod.ObjectMeta, job.AnnotationGeneration, strconv.FormatInt(generation, 10))
	if err := job.EndOthers(ctx, m.API, pod); err != nil {
		return err
	}
	return m.give(ctx, s)
}

// give makes the Secret, or gives the one that a run before has left behind the values of now.
func (m *Maker) give(ctx context.Context, s provision.Store) error {
	secret, err := m.secret(ctx, s)
	if err != nil {
		return err
	}
	secrets := m.API.Clientset.CoreV1().Secrets(s.Namespace)
	err = m.API.Write(ctx, func() error {
		_, err := secrets.Create(ctx, secret, metav1.CreateOptions{})
		if apierrors.IsAlreadyExists(err) {
			_, err = secrets.Update(ctx, secret, metav1.UpdateOptions{})
		}
		return err
	})
	return kube.WrapError(err, "write secret %s in namespace %s", secret.Name, s.Namespace)
}

func (m *Maker) installation(ctx context.Context) (string, error) {
	name, err := m.Installation(ctx)
	if err != nil {
		return "", provision.Wrap(provision.CodeUnavailable, err, "the name of this installation is not known now")
	}
	return name, nil
}

func (m *Maker) secret(ctx context.Context, s provision.Store) (*corev1.Secret, error) {
	installation, err := m.installation(ctx)
	if err != nil {
		return nil, err
	}
	label := provision.StoreLabel(s.StoreID)
	passwords := m.Access.Keys.RepositoryPasswords(installation, label)
	return &corev1.Secret{
		Type: corev1.SecretTypeOpaque,
		ObjectMeta: metav1.ObjectMeta{Name: provision.BackupAccessSecret, Namespace: s.Namespace,
			Labels: map[string]string{provision.LabelStore: label, labelManaged: kube.Manager}},
		StringData: map[string]string{
			"repository":         "rest:" + strings.TrimSuffix(m.Access.Gate, "/") + backup.Path(installation, label),
			"password":           passwords[0],
			"previous-passwords": strings.Join(passwords[1:], " "),
			"username":           label,
			"gate-ca":            m.Access.GateCA,
			"gate-password":      m.Access.GateKeys.GatePasswords(installation, label)[0],
		},
	}, nil
}

// take deletes the Secret, of a backup that has ended as of one that is not wanted any more. None is success.
func (m *Maker) take(ctx context.Context, s provision.Store) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), takeTimeout)
	defer cancel()
	return job.Forget(ctx, m.API, s.Namespace)
}

// parse reads what the pod has left as its message.
func parse(pod, message string) (provision.Backup, error) {
	var made struct {
		provision.Backup
		At int64 `json:"at"` // seconds since 1970
	}
	if err := json.Unmarshal([]byte(message), &made); err != nil || made.Run == "" || made.Secrets == "" || made.At <= 0 {
		return provision.Backup{}, provision.Errorf(provision.CodeCrash, "pod %s has ended well and does not say what it has made: %q", pod, kube.Sanitize(message))
	}
	made.Backup.At = time.Unix(made.At, 0).UTC()
	return made.Backup, nil
}
