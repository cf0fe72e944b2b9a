package figures_test

import (
	"maps"
	"testing"

	"orchestrator/cmd/testkit/bench/figures"
)

const metrics = `# HELP apiserver_request_total x
apiserver_request_total{code="200",verb="GET",resource="pods"} 3
apiserver_request_total{code="404",subresource="status",verb="GET",resource="secrets"} 2
apiserver_request_total{code="201",verb="POST",resource="pods"} 1e+02
apiserver_request_total{code="0",verb="WATCH",resource="pods"} 7
apiserver_request_terminations_total{verb="GET"} 9
size 42
path{of="} a"} 5
`

func TestRequestsAreSummedByVerb(t *testing.T) {
	if got, want := figures.Requests(metrics), (figures.Counts{"GET": 5, "POST": 100}); !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestGroupsAreOfEqualLabels(t *testing.T) {
	got := figures.Group(metrics, "apiserver_request_total", "verb", "resource")
	if want := (figures.Counts{"GET pods": 3, "GET secrets": 2, "POST pods": 100, "WATCH pods": 7}); !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestSumTakesTheSamplesThatHaveTheLabels(t *testing.T) {
	for _, c := range []struct {
		name   string
		having []string
		want   float64
	}{
		{"apiserver_request_total", nil, 112},
		{"apiserver_request_total", []string{`verb="GET"`}, 5},
		{"apiserver_request_total", []string{`verb="GET"`, `resource="pods"`}, 3},
		{"size", nil, 42},
		{"path", nil, 5},
		{"apiserver_request", nil, 0},
	} {
		if got := figures.Sum(metrics, c.name, c.having...); got != c.want {
			t.Errorf("%s %v: %v, want %v", c.name, c.having, got, c.want)
		}
	}
}

func TestCountsSince(t *testing.T) {
	got := figures.Counts{"GET": 5, "POST": 3}.Since(figures.Counts{"GET": 2})
	if want := (figures.Counts{"GET": 3, "POST": 3}); !maps.Equal(got, want) || got.Sum() != 6 {
		t.Errorf("%v with the sum %v, want %v", got, got.Sum(), want)
	}
}
