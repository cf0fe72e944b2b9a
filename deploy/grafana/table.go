package main

// The dashboard, row by row: a panel is one line. %where% stands for the selection of namespace and cluster, %ns% for that of the namespace.
var rows = []row{
	{"Now", []panel{
		one("Stores by status", stat, "short", q(`sum by (status) (max by (status, engine, cluster) (orchestrator_stores{%where%,engine=~"$engine"}))`, "{{status}}")),
		one("Under way the longest", stat, "s", q(`max by (op) (orchestrator_oldest_live_seconds{%where%})`, "{{op}}")),
		one("Callbacks pending", stat, "short", q(`max(orchestrator_callbacks_pending{%ns%})`, "pending"), q(`max(orchestrator_dead_letters{%ns%})`, "dead letters")),
		one("Oldest callback", stat, "s", q(`max(orchestrator_callback_oldest_pending_seconds{%ns%})`, "oldest")),
		one("Alerts", table, "short", q(`ALERTS{alertname=~"Orchestrator.*",alertstate="firing"}`, "")),
		one("On hold", stat, "short", q(`max by (engine, cluster, code) (orchestrator_stores_on_hold{%where%})`, "{{engine}} {{cluster}} {{code}}")),
		one("Findings and orphans", stat, "short", q(`max by (kind) (orchestrator_findings{%ns%})`, "{{kind}}"), q(`max by (kind) (orchestrator_orphans{%ns%})`, "{{kind}}")),
	}},
	{"Customers", []panel{
		one("Time to READY of new stores", lines, "s", q(`histogram_quantile(0.5, sum by (engine, le) (rate(orchestrator_time_to_ready_seconds_bucket{%where%,engine=~"$engine",kind="new"}[1h])))`, "{{engine}} median"),
			q(`histogram_quantile(0.95, sum by (engine, le) (rate(orchestrator_time_to_ready_seconds_bucket{%where%,engine=~"$engine",kind="new"}[1h])))`, "{{engine}} 95 %"), q(`vector(300)`, "budget")),
		one("Time to READY", heat, "s", q(`sum by (le) (increase(orchestrator_time_to_ready_seconds_bucket{%where%,engine=~"$engine"}[$__rate_interval]))`, "{{le}}")),
		one("Outcomes", lines, "short", q(`sum by (op, status) (increase(orchestrator_outcomes_total{%where%,engine=~"$engine"}[5m]))`, "{{op}} {{status}}")),
		one("Failures by cause", lines, "short", q(`sum by (engine, code) (increase(orchestrator_outcomes_total{%where%,engine=~"$engine",code!="none"}[5m])) > 0`, "{{engine}} {{code}}")),
		one("Requests", lines, "reqps", q(`sum by (method, route, code) (rate(orchestrator_http_request_duration_seconds_count{%ns%,component="ingest"}[5m]))`, "{{method}} {{route}} {{code}}")),
		one("Duration of requests", lines, "s", q(`histogram_quantile(0.95, sum by (method, route, le) (rate(orchestrator_http_request_duration_seconds_bucket{%ns%}[5m])))`, "{{method}} {{route}} 95 %")),
	}},
	{"Queues", []panel{
		one("Waiting", lines, "short", q(`max by (queue, state) (orchestrator_queue_tasks{%ns%,state=~"pending|retry"})`, "{{queue}} {{state}}")),
		one("Oldest", lines, "s", q(`max by (queue) (orchestrator_queue_oldest_pending_seconds{%ns%})`, "{{queue}}")),
		one("Slots in use", lines, "percentunit", q(`sum by (queue) (orchestrator_slots_in_use{%ns%}) / sum by (queue) (orchestrator_slots{%ns%})`, "{{queue}}")),
		one("Throttled, tried again", lines, "short", q(`sum(increase(orchestrator_throttled_tasks_total{%ns%}[5m]))`, "throttled"), q(`sum by (op, code) (increase(orchestrator_retries_total{%where%}[5m])) > 0`, "{{op}} {{code}}")),
		one("Paused", lines, "short", q(`max by (queue) (orchestrator_queue_paused{%ns%})`, "{{queue}}")),
		one("Waiting for a lease", lines, "s", q(`histogram_quantile(0.95, sum by (op, le) (rate(orchestrator_lease_wait_seconds_bucket{%where%}[5m])))`, "{{op}} 95 %")),
	}},
	{"Steps", []panel{
		one("Duration of steps", lines, "s", q(`histogram_quantile(0.95, sum by (op, step, le) (rate(orchestrator_step_duration_seconds_bucket{%where%,engine=~"$engine"}[15m])))`, "{{op}} {{step}} 95 %")),
		one("Runs by outcome", lines, "short", q(`sum by (op, outcome) (increase(orchestrator_run_duration_seconds_count{%where%}[5m])) > 0`, "{{op}} {{outcome}}")),
		one("Helm", lines, "s", q(`histogram_quantile(0.95, sum by (operation, le) (rate(orchestrator_helm_duration_seconds_bucket{%where%}[5m])))`, "{{operation}} 95 %")),
		one("Writes that wait", lines, "short", q(`sum by (cluster, class) (orchestrator_writes_waiting{%where%})`, "{{cluster}} {{class}}"), q(`sum by (cluster) (orchestrator_write_slots{%where%})`, "{{cluster}} slots")),
		one("Requests to API servers", lines, "reqps", q(`sum by (cluster, code) (rate(orchestrator_kube_request_duration_seconds_count{%where%}[5m]))`, "{{cluster}} {{code}}")),
		one("Duration of requests to API servers", lines, "s", q(`histogram_quantile(0.95, sum by (verb, le) (rate(orchestrator_kube_request_duration_seconds_bucket{%where%}[5m])))`, "{{verb}} 95 %")),
	}},
	{"Callbacks", []panel{
		one("By outcome", lines, "short", q(`sum by (outcome) (increase(orchestrator_callback_duration_seconds_count{%ns%}[5m]))`, "{{outcome}}")),
		one("Duration", lines, "s", q(`histogram_quantile(0.95, sum by (le) (rate(orchestrator_callback_duration_seconds_bucket{%ns%}[5m])))`, "95 %")),
		one("Passwords that cannot be read", lines, "short", q(`sum by (cluster) (increase(orchestrator_password_read_failures_total{%where%}[5m]))`, "{{cluster}}")),
	}},
	{"Maintenance", []panel{
		one("Rollout", lines, "short", q(`max by (engine, state) (orchestrator_rollout_stores{%ns%})`, "{{engine}} {{state}}"), q(`max by (engine) (orchestrator_rollout_paused{%ns%})`, "{{engine}} paused")),
		one("Audits", lines, "short", q(`sum by (result) (increase(orchestrator_audit_duration_seconds_count{%where%}[1h]))`, "{{result}}")),
		one("Upgrades", lines, "short", q(`sum by (result) (increase(orchestrator_upgrade_duration_seconds_count{%where%}[1h]))`, "{{result}}")),
	}},
	{"Redis and workers", []panel{
		one("Redis", lines, "percentunit", q(`max(orchestrator_redis_memory_used_ratio{%ns%})`, "memory"), q(`max by (component) (orchestrator_redis_up{%ns%})`, "{{component}} reaches it"), q(`min(orchestrator_records_complete{%ns%})`, "records complete")),
		one("Clusters", lines, "short", q(`max by (cluster) (orchestrator_cluster_up{%where%})`, "{{cluster}}")),
		one("Sweeps", lines, "s", q(`time() - max(orchestrator_sweep_last_success_timestamp_seconds{%ns%})`, "since the last"), q(`histogram_quantile(0.95, sum by (le) (rate(orchestrator_sweep_duration_seconds_bucket{%ns%}[5m])))`, "duration 95 %")),
		one("Rescued, recovered, lost", lines, "short", q(`sum by (queue) (increase(orchestrator_rescued_tasks_total{%ns%}[5m]))`, "rescued from {{queue}}"), q(`sum by (cluster) (increase(orchestrator_recovered_records_total{%where%}[5m]))`, "recovered from {{cluster}}"), q(`sum by (op) (increase(orchestrator_leases_lost_total{%where%}[5m]))`, "leases lost by {{op}}")),
		one("Processes", table, "short", q(`count by (component, version) (orchestrator_build_info{%ns%})`, "{{component}} {{version}}")),
		one("CPU", lines, "short", q(`sum by (pod) (rate(process_cpu_seconds_total{%ns%,pod=~".*(worker|ingest).*"}[5m]))`, "{{pod}}")),
		one("Memory", lines, "bytes", q(`sum by (pod) (process_resident_memory_bytes{%ns%,pod=~".*(worker|ingest).*"})`, "{{pod}}")),
	}},
}
