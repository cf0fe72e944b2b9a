package queue

import (
	"context"
	"embed"

	"github.com/redis/go-redis/v9"
)

//go:embed scripts/*.lua
var scripts embed.FS

var (
	acceptScript  = script("accept")
	enterScript   = script("enter")
	renewScript   = script("renew")
	leaveScript   = script("leave")
	placeScript   = script("place")
	verdictScript = script("verdict")
	turnScript    = script("turn")
	toldScript    = script("told")
	releaseScript = script("release")
	leadScript    = script("lead")
	forgetScript  = script("forget")
	dueScript     = script("due")
	orphansScript = script("orphans")
	restoreScript = script("restore")
)

func script(name string) *redis.Script {
	read := func(name string) string {
		text, err := scripts.ReadFile("scripts/" + name + ".lua")
		if err != nil {
			panic(err) // embedded: cannot be missing in a binary that was tested
		}
		return string(text)
	}
	return redis.NewScript(read("lib") + read(name))
}

// words runs a script that answers a list of texts. A nil or an unexpected answer is a defect and comes as an error.
func (r *Records) words(ctx context.Context, s *redis.Script, keys []string, args ...any) ([]string, error) {
	words, err := s.Run(ctx, r.redis, keys, args...).StringSlice()
	return words, redisError(err)
}
