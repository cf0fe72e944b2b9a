package view

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"orchestrator/provision"
)

// deliveryTable formats how the last deliveries of callbacks went, the latest first, followed by an empty line. Where all is well there is none.
func deliveryTable(s provision.State, width int, style Style) []string {
	if len(s.Deliveries) == 0 || s.Deliveries[0].Result == "delivered" {
		return nil
	}
	rows := [][]Cell{head("DELIVERY", "OF", "ANSWER", "TIME", "NEXT")}
	for _, d := range s.Deliveries[:min(len(s.Deliveries), 5)] {
		row := Text(Clock(d.At), string(d.Status), answer(d), Duration(time.Duration(d.Millis)*time.Millisecond), next(d))
		row[2].Color = Bad
		if d.Result == "delivered" {
			row[2].Color = Good
		}
		rows = append(rows, row)
	}
	return append(Table(rows, width, style), "")
}

func answer(d provision.Delivery) string {
	if d.HTTPStatus == 0 {
		return cmp.Or(d.Reason, "no answer")
	}
	return strings.Join(strings.Fields(fmt.Sprintf("%d %s", d.HTTPStatus, d.Answer)), " ")
}

func next(d provision.Delivery) string {
	if d.NextAt.IsZero() {
		return ""
	}
	return Clock(d.NextAt)
}
