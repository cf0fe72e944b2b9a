package record

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"
)

// asynqCancel is the channel by which asynq cancels tasks.
const asynqCancel = "asynq:cancel"

// CheckAccess returns an error that says what the Redis user lacks, and nil where Redis does not answer. It changes nothing. Without
// it the first request would meet what is missing, in the middle of a script.
func CheckAccess(ctx context.Context, client redis.UniversalClient) error {
	var missing []error
	for _, need := range []struct {
		rule string
		try  func() error
	}{
		{"~{orch}:* for the records", func() error { return client.Exists(ctx, keyComplete).Err() }},
		{"~asynq:* for the queues", func() error { return client.Exists(ctx, "asynq:queues").Err() }},
		{"+eval +evalsha +script for the scripts", func() error { return client.Eval(ctx, "return 1", nil).Err() }},
		{"&" + channelNewest + " for newer requests", func() error { return client.Publish(ctx, channelNewest, "").Err() }},
		{"&" + asynqCancel + " for asynq", func() error { return client.Publish(ctx, asynqCancel, "").Err() }},
	} {
		if err := need.try(); err != nil && strings.HasPrefix(err.Error(), "NOPERM") {
			missing = append(missing, errors.New(need.rule))
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return fmt.Errorf("the Redis user lacks rights; add to its ACL rules:\n%w", errors.Join(missing...))
}
