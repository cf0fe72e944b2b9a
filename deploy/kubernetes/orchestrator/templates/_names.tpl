{{/* What all names begin with: the release's name, and the chart's where that does not say it already. */}}
{{- define "orchestrator.name" -}}
{{- if contains "orchestrator" .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-orchestrator" (.Release.Name | trunc 27 | trimSuffix "-") -}}
{{- end -}}
{{- end -}}

{{/* Labels that never change, of one component: (list $ "ingest"). */}}
{{- define "orchestrator.selector" -}}
app.kubernetes.io/name: orchestrator
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{- define "orchestrator.labels" -}}
{{ include "orchestrator.selector" . }}
app.kubernetes.io/version: {{ (index . 0).Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ (index . 0).Release.Service }}
helm.sh/chart: {{ (index . 0).Chart.Name }}-{{ (index . 0).Chart.Version }}
{{- end -}}

{{/* The image of one binary: (list $ "orchestrator-ingest"). */}}
{{- define "orchestrator.image" -}}
{{- $image := (index . 0).Values.image -}}
{{- with $image.registry }}{{ trimSuffix "/" . }}/{{ end }}{{ index . 1 }}:{{ $image.tag | default (index . 0).Chart.AppVersion }}
{{- end -}}

{{- define "orchestrator.secret" -}}
{{- .Values.existingSecret | default (include "orchestrator.name" .) -}}
{{- end -}}

{{/* The ClusterRole that the worker binds itself to in a store's namespace. */}}
{{- define "orchestrator.storeRole" -}}
{{ include "orchestrator.name" . }}-store
{{- end -}}

{{/* The name of the installation, a label's value. */}}
{{- define "orchestrator.installation" -}}
{{ .Values.installation | default (printf "%s.%s" .Release.Namespace .Release.Name | trunc 63 | trimSuffix "-" | trimSuffix ".") }}
{{- end -}}

{{/* The worker as the API server calls it. */}}
{{- define "orchestrator.workerUser" -}}
system:serviceaccount:{{ .Release.Namespace }}:{{ include "orchestrator.name" . }}-worker
{{- end -}}

{{/* Namespaces that no store may have, as a list in JSON. */}}
{{- define "orchestrator.reserved" -}}
{{- prepend .Values.reservedNamespaces .Release.Namespace | uniq | toJson -}}
{{- end -}}

{{/* Hosts that no store may have, as a list in JSON: ingest's own too. */}}
{{- define "orchestrator.reservedHosts" -}}
{{- with .Values.ingest.ingress }}
{{- ternary (prepend $.Values.reservedHosts .host) $.Values.reservedHosts (and .enabled (ne .host "")) | uniq | toJson -}}
{{- end -}}
{{- end -}}
