package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/hibiken/asynq"

	"orchestrator/cmd/testkit/redistest"
	"orchestrator/worker/queue"
	"orchestrator/worker/redisconn"
)

func TestMain(m *testing.M) { os.Exit(redistest.Main(m).Run()) }

// These pages query Redis differently for a single server, Sentinel and Cluster.
func TestHandlerServesPagesOfARealRedis(t *testing.T) {
	client, err := redisconn.Connect(redistest.Real(t), redisconn.FailFast, redisconn.TLSOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	task := asynq.NewTask(queue.TypeOf(queue.QueueProvision), []byte(testPayload))
	if _, err := asynq.NewClientFromRedisClient(client).Enqueue(task, asynq.Queue(queue.QueueProvision), asynq.TaskID(testID)); err != nil {
		t.Fatal(err)
	}
	s := siteOf(t, config{User: "op", Password: "correct horse"}, client, &bytes.Buffer{})
	for path, wanted := range map[string]string{
		"/queues/api/queues":                         `"queue":"provision"`,
		"/queues/api/queues/provision/pending_tasks": testID,
		"/queues/api/redis_info":                     `"raw_info"`,
		"/":                                          "Overview",
		"/stores":                                    "No store matches",
		"/queues/api/servers":                        `"servers"`,
	} {
		if w := s.ask("GET", path); w.Code != 200 || !strings.Contains(w.Body.String(), wanted) || strings.Contains(w.Body.String(), "S3CRET") {
			t.Errorf("%s: %d, %.300s", path, w.Code, w.Body)
		}
	}
}
