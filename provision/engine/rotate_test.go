package engine_test

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"orchestrator/provision"
)

// TestEveryPasswordCanBeRotated: the job's pod gets the next value of each credential that rotates, and none of those that the shop has.
func TestEveryPasswordCanBeRotated(t *testing.T) {
	forEachVariant(t, func(t *testing.T, v variant, r rendered) {
		var want []string
		for _, credential := range releaseOf(t, v.store).Credentials {
			if credential.Rotates {
				want = append(want, credential.Key+provision.NextSuffix)
			}
		}
		if !slices.Contains(want, provision.AdminPassword+provision.NextSuffix) {
			t.Fatalf("%v rotate, and the owner's password does not", want)
		}
		for name, pod := range map[string]*corev1.Pod{"rotate": r.jobs["rotate"]} {
			var got []string
			for _, env := range pod.Spec.Containers[0].Env {
				if env.ValueFrom == nil || env.ValueFrom.SecretKeyRef == nil {
					continue
				}
				key := env.ValueFrom.SecretKeyRef.Key
				if strings.HasSuffix(key, provision.NextSuffix) {
					got = append(got, key)
				}
				if slices.Contains(want, key+provision.NextSuffix) {
					t.Errorf("%s gives the shop the %s that it has", name, key)
				}
			}
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("%s gets %v, want %v", name, got, want)
			}
			if pod.Spec.RestartPolicy != corev1.RestartPolicyNever || pod.Spec.ActiveDeadlineSeconds == nil {
				t.Errorf("%s may run for ever", name)
			}
		}
	})
}

// TestAJobIsWhereTheVolumeIs: a volume of the shop may be attached to one node at a time. During a restore the shop does not run.
func TestAJobIsWhereTheVolumeIs(t *testing.T) {
	forEachVariant(t, func(t *testing.T, _ variant, r rendered) {
		for name, pod := range r.jobs {
			volume := slices.ContainsFunc(pod.Spec.Volumes, func(v corev1.Volume) bool { return v.PersistentVolumeClaim != nil })
			if beside := volume && name != "restore"; beside != (pod.Spec.Affinity != nil) {
				t.Errorf("%s: it has a volume: %t; its place is %v", name, volume, pod.Spec.Affinity)
			}
		}
	})
}
