package redisconn

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/redis/go-redis/v9"

	"orchestrator/provision"
)

// WrapError returns an error of code unavailable where Redis is [Unreachable], and err itself otherwise.
func WrapError(err error) error {
	if err == nil || !Unreachable(err) {
		return err
	}
	return provision.Wrap(provision.CodeUnavailable, err, "Redis does not answer")
}

// Unreachable reports whether err says that Redis could not be reached or cannot serve now: the same command may succeed
// later.
func Unreachable(err error) bool {
	var netErr net.Error
	if errors.As(err, &netErr) || errors.Is(err, io.EOF) || errors.Is(err, redis.ErrPoolTimeout) || errors.Is(err, redis.ErrClosed) ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return true
	}
	for _, word := range []string{"LOADING ", "BUSY ", "UNKILLABLE ", "max number of clients reached", "READONLY ", "MASTERDOWN ", "CLUSTERDOWN ", "TRYAGAIN ", "OOM ", "MISCONF ", "NOREPLICAS ", "MOVED ", "ASK ", "cluster has no nodes", "connection refused", "i/o timeout", "EOF", "all sentinels"} {
		if strings.Contains(err.Error(), word) {
			return true
		}
	}
	return false
}
