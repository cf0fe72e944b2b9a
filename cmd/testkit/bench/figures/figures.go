// Package figures calculates what the bench prints from what it has read: percentiles and medians, counters of Prometheus, what
// Linux says of a process.
package figures

import (
	"math"
	"slices"
)

// Percentile returns the value that q percent of the values are below or at; NaN of none.
func Percentile(values []float64, q int) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(len(sorted)*q/100, len(sorted)-1)]
}

// Median returns the middle of the values, or the mean of the two in the middle; NaN of none. Values that are NaN are left out.
func Median(values []float64) float64 {
	sorted := slices.DeleteFunc(slices.Clone(values), math.IsNaN)
	slices.Sort(sorted)
	n := len(sorted)
	switch {
	case n == 0:
		return math.NaN()
	case n%2 == 1:
		return sorted[n/2]
	}
	return (sorted[n/2-1] + sorted[n/2]) / 2
}

// Ratios divides value by value; a pair of which one is missing has none.
func Ratios(values, by []float64) []float64 {
	ratios := make([]float64, 0, len(values))
	for i := range min(len(values), len(by)) {
		ratios = append(ratios, values[i]/by[i])
	}
	return ratios
}
