package record

import (
	"strings"
	"testing"
)

func TestInstallationHasOneNameUntilRedisLosesIt(t *testing.T) {
	each(t, func(b *bench) {
		name, err := Installation(b.ctx, b.redis)
		again, againErr := Installation(b.ctx, b.redis)
		if err != nil || againErr != nil || !strings.HasPrefix(name, "generated-") || len(name) > 63 || again != name {
			b.Fatalf("%q, %v, then %q, %v", name, err, again, againErr)
		}
		b.redis.Del(b.ctx, keyInstallation)
		if other, err := Installation(b.ctx, b.redis); err != nil || other == name {
			b.Errorf("after the loss: %q, %v", other, err)
		}
	})
}
