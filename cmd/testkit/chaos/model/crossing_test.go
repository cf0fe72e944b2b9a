package model

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCrossed(t *testing.T) {
	alone := Installation{Name: "a", Stores: map[string]bool{"s1": true, "s2": true}, Records: []string{"s1"}, Told: []string{"s1", "s2"},
		Written: map[string]string{"store-s1": "worker-1 sent POST /api"}}
	if found := alone.Crossed(); found != nil {
		t.Errorf("it touches its own stores only, found: %v", found)
	}
	crossing := Installation{Name: "a", Stores: alone.Stores, Records: []string{"s2", "n2", "n1"}, Told: []string{"n1"},
		Written: map[string]string{"store-n1": "worker-1 sent DELETE /api", "kube-system": "worker-1 sent PUT /api"}}
	var got []string
	for _, f := range crossing.Crossed() {
		got = append(got, string(f.Kind)+": "+f.Found)
	}
	want := []string{"crossed: its Redis has one of store n1", "crossed: its Redis has one of store n2", "crossed: it was told about store n1",
		"crossed: worker-1 sent PUT /api in kube-system", "crossed: worker-1 sent DELETE /api in store-n1"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
