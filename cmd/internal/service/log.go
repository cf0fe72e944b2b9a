package service

import (
	"context"
	"fmt"
	"io"
	"log/slog"

	"github.com/redis/go-redis/v9"
)

// Log is how a binary logs: one JSON object per line on standard output.
type Log struct {
	Level  slog.Level `env:"ORCH_LOG_LEVEL" envDefault:"info" help:"debug, info, warn or error"`
	Format string     `env:"ORCH_LOG_FORMAT" envDefault:"json" help:"json or text"`
}

// LogSettings makes an embedded Log part of [Configuration].
func (l Log) LogSettings() Log { return l }

// Validate checks the format; the level was checked when it was parsed.
func (l Log) Validate() error {
	if l.Format != "json" && l.Format != "text" {
		return fmt.Errorf("ORCH_LOG_FORMAT is %q; it must be json or text", l.Format)
	}
	return nil
}

func (l Log) logger(w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: l.Level}
	if l.Format == "text" {
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(w, options))
}

// adopt makes log the destination of the libraries that log by themselves.
func adopt(log *slog.Logger) {
	slog.SetDefault(log)
	redis.SetLogger(redisLog{log})
}

// redisLog keeps what go-redis says about its pool for debugging: during an outage it says it many times a second, and
// whoever needed the command reports the outage anyhow.
type redisLog struct{ log *slog.Logger }

func (l redisLog) Printf(ctx context.Context, format string, v ...any) {
	l.log.DebugContext(ctx, "go-redis: "+fmt.Sprintf(format, v...))
}
