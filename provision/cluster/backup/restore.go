package backup

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"orchestrator/provision"
	"orchestrator/provision/backup"
	"orchestrator/provision/cluster/job"
)

// Restorer implements [provision.Restorer].
type Restorer struct {
	*Maker
	Credentials Credentials
	// Abandon takes the restore off the store's namespace: after a loss of Redis it would come back, and undo what was sold since.
	Abandon func(context.Context, provision.Store) error
	// SaveTest keeps in the cluster too that a backup was tested.
	SaveTest func(context.Context, provision.Store, provision.RestoreTest) error
}

// Credentials is the store's Secret. It says whether a restore was done, so that a store whose namespace is lost is restored anew.
type Credentials interface {
	// RestoredAt is when the store's restore was done; zero: it was not.
	RestoredAt(ctx context.Context, s provision.Store) (time.Time, error)
	// TakeBack gives the Secret the entries that the restored shop knows, and says that the restore was done.
	TakeBack(ctx context.Context, s provision.Store, all []provision.Credential, entries map[string]string) error
}

const (
	jobRestore = "restore" // the name of the charts' job
	// refused begins what a pod says that has touched nothing, since the backup does not fit the store.
	refused = "refused: "
)

// Restored implements [provision.Restorer].
func (r *Restorer) Restored(ctx context.Context, s provision.Store, want provision.Release) (at time.Time, err error) {
	if at, err = r.Credentials.RestoredAt(ctx, s); err == nil && at.IsZero() {
		_, err = r.Render(ctx, s, want, jobRestore)
	}
	return at, err
}

// Restore implements [provision.Restorer]. The Secret with what opens the repository is there for as long as the pod runs, as for a backup.
func (r *Restorer) Restore(ctx context.Context, s provision.Store, want provision.Release, deadline time.Time) error {
	pod, err := r.Render(ctx, s, want, jobRestore)
	if err != nil {
		return err
	}
	if err := r.mayMount(ctx, pod); provision.CodeOf(err) == provision.CodeConflict {
		return r.refuse(ctx, s, provision.Public(err))
	} else if err != nil {
		return err
	}
	if err := r.prepare(ctx, s, pod, s.Restore.Generation); err != nil {
		return err
	}
	message, err := job.Run(ctx, r.API, pod, deadline)
	if taken := r.take(ctx, s); taken != nil { // the next job removes it; what was restored is not thrown away for that
		r.API.Log.Warn("what opens a store's backups is left in its namespace", "store_id", s.StoreID, "error", taken)
	}
	if err != nil {
		return r.refusal(ctx, s, err)
	}
	entries, err := r.parse(ctx, s, pod.Name, message)
	if err != nil {
		return err
	}
	return r.Credentials.TakeBack(ctx, s, want.Credentials, entries)
}

// Passed implements [provision.Restorer].
func (r *Restorer) Passed(ctx context.Context, s provision.Store, t provision.RestoreTest) {
	if err := r.SaveTest(ctx, s, t); err != nil {
		r.API.Log.Warn("a restore test is not saved in the cluster; after a loss of Redis the one before it would be known", "store_id", s.StoreID, "error", err)
	}
}

// refusal is the error of a pod that may have touched nothing.
func (r *Restorer) refusal(ctx context.Context, s provision.Store, err error) error {
	if _, why, found := strings.Cut(provision.Public(err), refused); found {
		return r.refuse(ctx, s, why)
	}
	return err
}

func (r *Restorer) refuse(ctx context.Context, s provision.Store, why string) error {
	if err := r.Abandon(ctx, s); err != nil {
		return err
	}
	return provision.Wrap(provision.CodeConflict, provision.ErrRestoreRefused,
		"store %s cannot be restored from backup %s, and is as it was: %s; ask for a restore again once that is mended", s.StoreID, s.Restore.Backup.Run, why)
}

// parse reads what the pod has left as its message, and opens the entries of the Secret that are in it.
func (r *Restorer) parse(ctx context.Context, s provision.Store, pod, message string) (map[string]string, error) {
	var said struct {
		Run         string `json:"run"`
		Credentials string `json:"credentials"`
	}
	if err := json.Unmarshal([]byte(message), &said); err != nil || said.Run == "" {
		return nil, provision.Errorf(provision.CodeCrash, "pod %s ended well, and its message says nothing of a restore", pod)
	}
	if said.Run != s.Restore.Backup.Run {
		return nil, provision.Errorf(provision.CodeUnavailable, "pod %s has restored backup %s, as an earlier request wanted it; that of now, %s, is restored next", pod, said.Run, s.Restore.Backup.Run)
	}
	installation, err := r.installation(ctx)
	if err != nil {
		return nil, err
	}
	password := r.Access.Keys.RepositoryPasswords(installation, provision.StoreLabel(s.StoreID))[0]
	entries, err := backup.OpenCredentials(password, said.Credentials)
	if err != nil {
		return nil, provision.Wrap(provision.CodeCrash, err, "the credentials that pod %s has found in backup %s cannot be read", pod, said.Run)
	}
	return entries, nil
}
