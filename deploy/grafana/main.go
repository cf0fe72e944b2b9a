// Command grafana writes the dashboard from the table in table.go: go run ./deploy/grafana.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

const file = "deploy/grafana/orchestrator.json"

// The kinds of panels, by Grafana's names.
const (
	stat  = "stat"
	lines = "timeseries"
	heat  = "heatmap"
	table = "table"
)

type row struct {
	title  string
	panels []panel
}

type panel struct {
	title, kind, unit string
	queries           []query
}

type query struct{ expr, legend string }

// q is one query of a panel, with the legend of its series.
func q(expr, legend string) query { return query{expr, legend} }

// one makes a panel.
func one(title, kind, unit string, queries ...query) panel { return panel{title, kind, unit, queries} }

// selection stands in the table for what the variables of the dashboard select.
var selection = strings.NewReplacer("%where%", `namespace=~"$namespace",cluster=~"$cluster"`, "%ns%", `namespace=~"$namespace"`)

func main() {
	text, err := dashboard()
	if err == nil {
		err = os.WriteFile(file, text, 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "grafana:", err)
		os.Exit(1)
	}
}

type object = map[string]any

var source = object{"type": "prometheus", "uid": "${datasource}"}

const (
	columns = 24 // of Grafana's grid
	across  = 3  // panels in a line
	height  = 8
)

// dashboard is the dashboard as Grafana imports it.
func dashboard() ([]byte, error) {
	var panels []object
	id, y := 1, 0
	for _, r := range rows {
		panels = append(panels, object{"type": "row", "id": id, "title": r.title, "collapsed": false, "gridPos": grid(0, y, columns, 1), "panels": []object{}})
		id, y = id+1, y+1
		for i, p := range r.panels {
			const width = columns / across
			panels = append(panels, p.object(id, grid(i%across*width, y+i/across*height, width, height)))
			id++
		}
		y += (len(r.panels) + across - 1) / across * height
	}
	text, err := json.MarshalIndent(object{
		"title": "Orchestrator", "uid": "orchestrator", "tags": []string{"orchestrator"}, "schemaVersion": 39, "editable": true, "graphTooltip": 1,
		"refresh": "30s", "time": object{"from": "now-6h", "to": "now"}, "panels": panels, "annotations": object{"list": []object{}},
		"templating": object{"list": []object{
			{"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus"},
			variable("namespace", "Namespace", "orchestrator_build_info", "namespace"),
			variable("cluster", "Cluster", "orchestrator_cluster_up", "cluster"),
			variable("engine", "Engine", "orchestrator_stores", "engine"),
		}},
	}, "", "  ")
	return append(text, '\n'), err
}

func grid(x, y, w, h int) object { return object{"x": x, "y": y, "w": w, "h": h} }

// variable lets the reader choose among the values of a label.
func variable(name, label, metric, of string) object {
	return object{"name": name, "label": label, "type": "query", "datasource": source, "query": fmt.Sprintf("label_values(%s, %s)", metric, of),
		"refresh": 2, "includeAll": true, "multi": true, "allValue": ".*", "current": object{"text": "All", "value": "$__all"}, "sort": 1}
}

func (p panel) object(id int, at object) object {
	var targets []object
	for i, q := range p.queries {
		target := object{"refId": string(rune('A' + i)), "datasource": source, "expr": selection.Replace(q.expr), "legendFormat": q.legend}
		switch p.kind {
		case heat:
			target["format"] = heat
		case table:
			target["format"], target["instant"] = table, true
		}
		targets = append(targets, target)
	}
	o := object{"id": id, "type": p.kind, "title": p.title, "datasource": source, "gridPos": at, "targets": targets,
		"fieldConfig": object{"defaults": object{"unit": p.unit, "min": 0}, "overrides": []object{}}}
	if p.kind == stat {
		o["options"] = object{"reduceOptions": object{"calcs": []string{"lastNotNull"}}, "colorMode": "value", "graphMode": "area"}
	}
	return o
}
