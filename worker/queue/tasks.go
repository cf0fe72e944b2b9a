package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"orchestrator/provision"
	"orchestrator/worker/redisconn"
)

// The queues, each with a server of its own: a priority within one server does not isolate. Clusters that have a name of
// their own have queues of their own ([On]).
const (
	QueueProvision   = "provision"
	QueueDelete      = "delete"
	QueueCallback    = "callback"
	QueueMaintenance = "maintenance"
)

const (
	// TaskTimeout is asynq's limit for one execution. A run and a delivery end long before by limits of their own; asynq's
	// would hand the task to the next worker while this one still works on it.
	TaskTimeout = 4 * time.Hour
	// maxRetry is out of reach: attempts are counted in the record, where a crash cannot lose them.
	maxRetry  = 1000
	retention = 24 * time.Hour
)

// TypeOf is the type of the tasks in a queue; each queue holds one.
func TypeOf(queue string) string {
	base, _, _ := strings.Cut(queue, ".")
	return "store:" + base
}

// On is the name of a queue of one cluster: the queue's own name for the default cluster, provision.eu for cluster eu.
func On(queue, cluster string) string {
	if cluster == provision.DefaultCluster {
		return queue
	}
	return queue + "." + cluster
}

// Task is what a task of a run carries: which generation of which store, and nothing to show a stranger.
type Task struct {
	Op         provision.Op `json:"-"` // by the task's type
	StoreID    string       `json:"store_id"`
	Generation int64        `json:"generation"`
	Cluster    string       `json:"-"` // by the task's queue
}

// CallbackTask is what the task of a callback carries.
type CallbackTask struct {
	StoreID    string `json:"store_id"`
	Generation int64  `json:"generation"`
	Sequence   int64  `json:"sequence"`
	Cluster    string `json:"-"` // by the task's queue: where the generation ran, or [provision.AnyCluster]
}

// MaintenanceKind is what a task of maintenance does.
type MaintenanceKind string

// The kinds of maintenance.
const (
	Audit   MaintenanceKind = "audit"
	Upgrade MaintenanceKind = "upgrade" // of a rollout
	Backup  MaintenanceKind = "backup"
	// RestoreTest restores the last good backup beside the store.
	RestoreTest MaintenanceKind = "restore-test"
)

// MaintenanceTask is what a task of maintenance carries. Its generation is the newest of the store; a newer one makes it void.
type MaintenanceTask struct {
	Kind       MaintenanceKind `json:"kind"`
	StoreID    string          `json:"store_id"`
	Generation int64           `json:"generation"`
	Cluster    string          `json:"-"` // by the task's queue
}

// TaskID is the id of a run's task, unique per generation. asynq's web UI cuts ids at the first '-', so the number comes first.
func TaskID(gen int64, storeID string) string { return strconv.FormatInt(gen, 10) + "." + storeID }

// ID is the id of the task in its queue.
func (t Task) ID() string { return TaskID(t.Generation, t.StoreID) }

// ID is the id of the task in its queue, and of the callback: generation.sequence.store.
func (c CallbackTask) ID() string {
	return strconv.FormatInt(c.Generation, 10) + "." + strconv.FormatInt(c.Sequence, 10) + "." + c.StoreID
}

// ID is the id of the task in its queue: generation.kind.store.
func (m MaintenanceTask) ID() string {
	return strconv.FormatInt(m.Generation, 10) + "." + string(m.Kind) + "." + m.StoreID
}

// Queue is the queue of the task.
func (m MaintenanceTask) Queue() string { return On(QueueMaintenance, m.Cluster) }

// Queue is the queue of the task.
func (t Task) Queue() string { return On(string(t.Op), t.Cluster) }

// Queue is the queue of the task.
func (c CallbackTask) Queue() string { return On(QueueCallback, c.Cluster) }

// ParseTask reads the payload of a run's task in a queue of the cluster. An error means that another program enqueued the task: retrying it is
// pointless.
func ParseTask(t *asynq.Task, cluster string) (Task, error) {
	task := Task{Cluster: cluster}
	switch t.Type() {
	case TypeOf(QueueProvision):
		task.Op = provision.OpProvision
	case TypeOf(QueueDelete):
		task.Op = provision.OpDelete
	default:
		return task, fmt.Errorf("unknown task type %q", t.Type())
	}
	return task, parse(t, &task, func() bool { return task.StoreID != "" && task.Generation > 0 })
}

// ParseCallbackTask reads the payload of a callback's task in the queue of the cluster.
func ParseCallbackTask(t *asynq.Task, cluster string) (CallbackTask, error) {
	task := CallbackTask{Cluster: cluster}
	return task, parse(t, &task, func() bool { return task.StoreID != "" })
}

// ParseMaintenanceTask reads the payload of a task of maintenance in the queue of the cluster.
func ParseMaintenanceTask(t *asynq.Task, cluster string) (MaintenanceTask, error) {
	task := MaintenanceTask{Cluster: cluster}
	return task, parse(t, &task, func() bool { return task.StoreID != "" && task.Generation > 0 })
}

func parse(t *asynq.Task, into any, complete func() bool) error {
	if err := json.Unmarshal(t.Payload(), into); err != nil {
		return fmt.Errorf("payload of a %s task: %w", t.Type(), err)
	}
	if !complete() {
		return fmt.Errorf("payload of a %s task lacks store_id or generation", t.Type())
	}
	return nil
}

// Tasks enqueues tasks and looks after those that are in their queues.
type Tasks struct {
	Enqueued func(queue string) // is told of each task that was made to be taken now; nil: nothing is

	redis     redis.UniversalClient
	client    *asynq.Client
	inspector *asynq.Inspector
}

// NewTasks returns the tasks kept in a Redis.
func NewTasks(client redis.UniversalClient) *Tasks {
	return &Tasks{redis: client, client: asynq.NewClientFromRedisClient(client), inspector: asynq.NewInspectorFromRedisClient(client)}
}

// Enqueue makes the run's task exist. One that exists already, in whatever state, is success.
func (t *Tasks) Enqueue(ctx context.Context, task Task) error {
	return t.enqueue(ctx, task.Queue(), task.ID(), task)
}

// EnqueueCallback makes the callback's task exist. One that exists already is success.
func (t *Tasks) EnqueueCallback(ctx context.Context, task CallbackTask) error {
	return t.enqueue(ctx, task.Queue(), task.ID(), task)
}

// EnqueueMaintenance makes the task exist, unless it does already. It is forgotten when it has ended.
func (t *Tasks) EnqueueMaintenance(ctx context.Context, task MaintenanceTask) error {
	return t.enqueue(ctx, task.Queue(), task.ID(), task, asynq.Retention(0))
}

func (t *Tasks) enqueue(ctx context.Context, queue, id string, payload any, options ...asynq.Option) error {
	text, err := json.Marshal(payload)
	if err != nil {
		return err
	}
	options = append([]asynq.Option{asynq.Queue(queue), asynq.TaskID(id), asynq.MaxRetry(maxRetry), asynq.Timeout(TaskTimeout), asynq.Retention(retention)}, options...)
	_, err = t.client.EnqueueContext(ctx, asynq.NewTask(TypeOf(queue), text), options...)
	if errors.Is(err, asynq.ErrTaskIDConflict) {
		return nil
	}
	t.tell(queue, err)
	return redisconn.WrapError(err)
}

func (t *Tasks) tell(queue string, err error) {
	if err == nil && t.Enqueued != nil {
		t.Enqueued(queue)
	}
}

// Revive makes sure that a run's task will be executed: it is enqueued when missing, or when it was completed or
// archived without an end of its own. With tryNow a task that waits for its next try is tried now.
func (t *Tasks) Revive(ctx context.Context, task Task, tryNow bool) error {
	return t.revive(ctx, task.Queue(), task.ID(), tryNow, func() error { return t.Enqueue(ctx, task) })
}

// ReviveCallback is [Tasks.Revive] for a callback.
func (t *Tasks) ReviveCallback(ctx context.Context, task CallbackTask, tryNow bool) error {
	return t.revive(ctx, task.Queue(), task.ID(), tryNow, func() error { return t.EnqueueCallback(ctx, task) })
}

func (t *Tasks) revive(ctx context.Context, queue, id string, tryNow bool, enqueue func() error) error {
	info, err := t.inspector.GetTaskInfo(queue, id)
	if errors.Is(err, asynq.ErrQueueNotFound) {
		// asynq's client announces a queue once in its life; after a loss of data no other code announces it.
		if err := t.redis.SAdd(ctx, "asynq:queues", queue).Err(); err != nil {
			return redisconn.WrapError(err)
		}
	}
	switch {
	case absent(err):
		return enqueue()
	case err != nil:
		return redisconn.WrapError(err)
	case info.State == asynq.TaskStateArchived, tryNow && info.State == asynq.TaskStateRetry:
		err = t.inspector.RunTask(queue, id)
		t.tell(queue, err)
	case info.State == asynq.TaskStateCompleted:
		if err = t.inspector.DeleteTask(queue, id); err == nil || absent(err) {
			return enqueue()
		}
	}
	if absent(err) {
		return nil // it moved meanwhile; the next sweep sees where to
	}
	return redisconn.WrapError(err)
}

func absent(err error) bool {
	return errors.Is(err, asynq.ErrTaskNotFound) || errors.Is(err, asynq.ErrQueueNotFound)
}

// Queues are all queues of the installation, also those of clusters that this process does not serve.
func (t *Tasks) Queues(ctx context.Context) ([]string, error) {
	all := []string{QueueProvision, QueueDelete, QueueCallback, QueueMaintenance}
	known, err := t.redis.SMembers(ctx, "asynq:queues").Result()
	for _, name := range known {
		base, cluster, _ := strings.Cut(name, ".")
		if cluster != "" && slices.Contains(all[:4], base) {
			all = append(all, name)
		}
	}
	return all, redisconn.WrapError(err)
}
