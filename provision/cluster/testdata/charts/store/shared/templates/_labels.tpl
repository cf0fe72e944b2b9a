{{- define "shared.store" -}}
orchestrator/store: {{ .Values.storeLabel | quote }}
{{- end }}
