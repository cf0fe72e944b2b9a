package helm

import (
	"strings"
	"testing"

	"orchestrator/provision"
)

func TestAJobIsAPodOfTheStore(t *testing.T) {
	s := testStore(1)
	pod, err := RenderJob(Charts{FS: tinyCharts()}, s, tinyRelease(s, nil), "rotate")
	if err != nil {
		t.Fatal(err)
	}
	if pod.Namespace != s.Namespace || pod.Name != "shop-rotate" || pod.Labels[provision.LabelStore] != provision.StoreLabel(s.StoreID) {
		t.Errorf("pod %s in %s with the labels %v", pod.Name, pod.Namespace, pod.Labels)
	}
}

// TestAChartMayKnowNoJob: that is the state of this store, and would hold up no others.
func TestAChartMayKnowNoJob(t *testing.T) {
	s := testStore(1)
	_, err := RenderJob(Charts{FS: tinyCharts()}, s, tinyRelease(s, nil), "dance")
	if provision.CodeOf(err) != provision.CodeConflict || !strings.Contains(provision.Public(err), "orchestrator retry "+s.StoreID+" --force upgrade") {
		t.Errorf("%v", err)
	}
}

// TestAReleaseHasNoJobs: what is beside it is not applied with it.
func TestAReleaseHasNoJobs(t *testing.T) {
	s := testStore(1)
	files, err := Render(Charts{FS: tinyCharts()}, s, tinyRelease(s, nil))
	if err != nil {
		t.Fatal(err)
	}
	if text, there := files["tiny/templates/rotate.yaml"]; there {
		t.Errorf("the release has\n%s", text)
	}
}
