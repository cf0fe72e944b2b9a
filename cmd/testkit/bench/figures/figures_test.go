package figures_test

import (
	"math"
	"strings"
	"testing"

	"orchestrator/cmd/testkit/bench/figures"
)

func TestPercentile(t *testing.T) {
	hundred := make([]float64, 100)
	for i := range hundred {
		hundred[99-i] = float64(i + 1) // the order does not matter
	}
	for _, c := range []struct {
		values []float64
		q      int
		want   float64
	}{
		{hundred, 50, 51}, {hundred, 95, 96}, {hundred, 100, 100}, {[]float64{7}, 95, 7}, {[]float64{2, 1}, 50, 2},
	} {
		if got := figures.Percentile(c.values, c.q); got != c.want {
			t.Errorf("p%d of %d values: %v, want %v", c.q, len(c.values), got, c.want)
		}
	}
	if hundred[0] != 100 {
		t.Error("the values were sorted in place")
	}
	if got := figures.Percentile(nil, 50); !math.IsNaN(got) {
		t.Errorf("of no values: %v", got)
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   float64
	}{
		{[]float64{3, 1, 2}, 2}, {[]float64{4, 1, 2, 3}, 2.5}, {[]float64{9}, 9}, {[]float64{math.NaN(), 5, 1, 3}, 3},
	} {
		if got := figures.Median(c.values); got != c.want {
			t.Errorf("%v: %v, want %v", c.values, got, c.want)
		}
	}
	if got := figures.Median([]float64{math.NaN()}); !math.IsNaN(got) {
		t.Errorf("of nothing known: %v", got)
	}
}

// A round that was disturbed spoils both of its values, and not the median of the ratios.
func TestRatiosAreOfTheSameRound(t *testing.T) {
	table := figures.NewTable("limit", "ours", "helm")
	for _, rates := range [][2]float64{{4, 3}, {2, 1.5}, {4, 2}} {
		table.Add("limit", []figures.Row{{Name: "stores/s", Value: rates[0], Digits: 1}})
		table.Add("ours", []figures.Row{{Name: "stores/s", Value: rates[1], Digits: 1}, {Name: "peak", Value: 90}, {Name: "not known", Value: math.NaN()}})
	}
	if got := table.Ratio("ours", "limit", "stores/s"); got != 0.75 {
		t.Errorf("the ratio is %v, want 0.75", got)
	}
	var out strings.Builder
	table.Write(&out)
	want := "| | limit | ours | helm | ours/limit |\n|---|---|---|---|---|\n| stores/s | 4.0 | 2.0 | – | 0.75 |\n| peak | – | 90 | – | – |\n"
	if out.String() != want {
		t.Errorf("the table is\n%swant\n%s", out.String(), want)
	}
}

func TestBounds(t *testing.T) {
	var out strings.Builder
	met := figures.WriteBounds(&out, []figures.Bound{
		{Name: "fast", Value: 0.9, Limit: 0.85, AtLeast: true, Digits: 2},
		{Name: "small", Value: 80, Limit: 80},
	})
	if !met || !strings.Contains(out.String(), "| fast | 0.90 | ≥ 0.85 | ok |\n| small | 80 | ≤ 80 | ok |\n") {
		t.Errorf("met %t:\n%s", met, out.String())
	}
	for name, b := range map[string]figures.Bound{
		"slow":               {Value: 0.8, Limit: 0.85, AtLeast: true},
		"large":              {Value: 81, Limit: 80},
		"not known":          {Value: math.NaN(), Limit: 80},
		"not known at least": {Value: math.NaN(), Limit: 80, AtLeast: true},
	} {
		if figures.WriteBounds(&out, []figures.Bound{b}) || !strings.HasSuffix(out.String(), "| not met |\n") {
			t.Errorf("%s: it is met", name)
		}
	}
}
