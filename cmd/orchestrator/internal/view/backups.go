package view

import (
	"fmt"
	"strconv"
	"time"

	"orchestrator/provision"
)

// Backups formats the backups of a store as a table.
func Backups(all []provision.Backup, now time.Time, width int, style Style) []string {
	rows := [][]Cell{head("RUN", "BEGAN", "AGE", "ORDERS", "PRODUCTS", "SIZE")}
	for _, b := range all {
		rows = append(rows, Text(b.Run, b.At.Format(time.RFC3339), age(now.Sub(b.At)), strconv.FormatInt(b.Orders, 10), strconv.FormatInt(b.Products, 10), inBytes(b.Bytes)))
	}
	return Table(rows, width, style)
}

// restoring says what a store is restored to.
func restoring(r *provision.Restore) string {
	if r == nil {
		return ""
	}
	return fmt.Sprintf("to the backup of %s (run %s), with %d orders and %d products, since generation %d", r.Backup.At.Format(time.RFC3339), r.Backup.Run, r.Backup.Orders, r.Backup.Products, r.Generation)
}

// inBytes tells a number of bytes to people.
func inBytes(n int64) string {
	if n < 1<<10 {
		return fmt.Sprintf("%d B", n)
	}
	unit, size := 0, float64(n)/(1<<10)
	for ; size >= 1<<10 && unit < len("KMGT")-1; unit++ {
		size /= 1 << 10
	}
	return fmt.Sprintf("%.1f %ciB", size, "KMGT"[unit])
}
