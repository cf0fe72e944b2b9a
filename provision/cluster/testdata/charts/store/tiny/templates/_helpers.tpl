{{- define "tiny.labels" -}}
{{ include "shared.store" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}
{{- define "tiny.selector" -}}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}
